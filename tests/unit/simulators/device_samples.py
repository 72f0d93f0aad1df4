"""Where ten real devices keep some of their values: written down from public sources, apart from the shipped profiles.

Each line: function code, zero-based address, struct format of the value's bytes (`<`: least significant word first),
factor to the base unit, and the name of the truth in `test_device.py`. Sources: mbmd (meters), wb-mqtt-serial (drives).
"""

SAMPLES: dict[str, tuple[tuple[int, int, str, float, str], ...]] = {
    "abb/b23": (
        (3, 20480, ">Q", 0.01, "kWh"), (3, 20484, ">Q", 0.01, "nothing"), (3, 21604, ">Q", 0.01, "kWh of L2"),
        (3, 23296, ">I", 0.1, "V of L1"), (3, 23300, ">I", 0.1, "V of L3"), (3, 23310, ">I", 0.01, "A of L2"),
        (3, 23316, ">i", 0.01, "W"), (3, 23320, ">i", 0.01, "W of L2"), (3, 23340, ">H", 0.01, "Hz"),
        (3, 23354, ">h", 0.001, "cos"),
    ),
    "carlogavazzi/em340": (
        (4, 0, "<i", 0.1, "V of L1"), (4, 4, "<i", 0.1, "V of L3"), (4, 14, "<i", 0.001, "A of L2"),
        (4, 20, "<i", 0.1, "W of L2"), (4, 40, "<i", 0.1, "W"), (4, 49, ">h", 0.001, "cos"), (4, 51, ">h", 0.1, "Hz"),
        (4, 52, "<i", 0.1, "kWh"), (4, 66, "<i", 0.1, "kWh of L2"), (4, 78, "<i", 0.1, "nothing"),
    ),
    "chint/dtsu666": (
        (3, 4126, ">f", 1, "kWh"), (3, 4130, ">f", 1, "kWh of L2"), (3, 4136, ">f", 1, "nothing"),
        (3, 8198, ">f", 0.1, "V of L1"), (3, 8202, ">f", 0.1, "V of L3"), (3, 8206, ">f", 0.001, "A of L2"),
        (3, 8210, ">f", 0.1, "W"), (3, 8214, ">f", 0.1, "W of L2"), (3, 8218, ">f", 0.1, "var"),
        (3, 8234, ">f", 0.001, "cos"), (3, 8260, ">f", 0.01, "Hz"),
    ),
    "danfoss/fc51": ((3, 15019, ">I", 1, "kWh"), (3, 50199, ">H", 1, "running in bit 11")),
    "eastron/sdm630": (
        (4, 0, ">f", 1, "V of L1"), (4, 4, ">f", 1, "V of L3"), (4, 8, ">f", 1, "A of L2"), (4, 14, ">f", 1, "W of L2"),
        (4, 30, ">f", 1, "cos"), (4, 52, ">f", 1, "W"), (4, 56, ">f", 1, "VA"), (4, 60, ">f", 1, "var"),
        (4, 70, ">f", 1, "Hz"), (4, 72, ">f", 1, "kWh"), (4, 74, ">f", 1, "nothing"), (4, 342, ">f", 1, "kWh"),
        (4, 348, ">f", 1, "kWh of L2"),
    ),
    "janitza/b23": (
        (3, 19000, ">f", 1, "V of L1"), (3, 19004, ">f", 1, "V of L3"), (3, 19014, ">f", 1, "A of L2"),
        (3, 19022, ">f", 1, "W of L2"), (3, 19026, ">f", 1, "W"), (3, 19044, ">f", 1, "cos"), (3, 19050, ">f", 1, "Hz"),
        (3, 19064, ">f", 0.001, "kWh of L2"), (3, 19068, ">f", 0.001, "kWh"), (3, 19076, ">f", 0.001, "nothing"),
    ),
    "lovato/dmg610": (
        (4, 1, ">I", 0.01, "V of L1"), (4, 5, ">I", 0.01, "V of L3"), (4, 9, ">I", 0.0001, "A of L2"),
        (4, 21, ">i", 0.01, "W of L2"), (4, 49, ">I", 0.001, "Hz"), (4, 57, ">i", 0.01, "W"),
        (4, 59, ">i", 0.01, "var"), (4, 61, ">I", 0.01, "VA"), (4, 6943, ">Q", 0.01, "kWh"),
        (4, 6947, ">Q", 0.01, "nothing"), (4, 7751, ">Q", 0.01, "kWh of L2"),
    ),
    "schneider/iem3000": (
        (3, 3001, ">f", 1, "A of L2"), (3, 3027, ">f", 1, "V of L1"), (3, 3031, ">f", 1, "V of L3"),
        (3, 3055, ">f", 1000, "W of L2"), (3, 3059, ">f", 1000, "W"), (3, 3067, ">f", 1000, "var"),
        (3, 3075, ">f", 1000, "VA"), (3, 3109, ">f", 1, "Hz"), (3, 3203, ">q", 0.001, "kWh"),
        (3, 3207, ">q", 0.001, "nothing"), (3, 3521, ">q", 0.001, "kWh of L2"),
    ),
    "siemens/pac2200": (
        (4, 1, ">f", 1, "V of L1"), (4, 5, ">f", 1, "V of L3"), (4, 15, ">f", 1, "A of L2"),
        (4, 27, ">f", 1, "W of L2"), (4, 37, ">f", 1, "cos"), (4, 46, ">f", 1, "Hz"), (4, 63, ">f", 1, "VA"),
        (4, 65, ">f", 1, "W"), (4, 67, ">f", 1, "var"), (4, 801, ">d", 0.001, "kWh"), (4, 809, ">d", 0.001, "nothing"),
    ),
    "vacon/vacon10": ((4, 826, ">H", 1, "MWh"), (4, 2100, ">H", 1, "running in bit 1")),
}  # fmt: skip
