/* A PLC on Debian's libmodbus, for tests: a Modbus server that Lineside did not write.
 *
 *   plc tcp PORT          on 127.0.0.1, several clients
 *   plc rtu DEVICE BAUD   unit 1, 8N1
 *
 * Says "ready" when it listens. Takes function codes 1 to 4 only: any other ends it with status 3.
 */
#include <errno.h>
#include <modbus/modbus.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <unistd.h>

/* A float's four bytes in the order in which they go over the wire; A is the most significant one. libmodbus's own
 * modbus_set_float_* mean different orders in different versions. */
static void put(float value, const char *order, uint16_t *dest) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint8_t wire[4];
    for (int i = 0; i < 4; i++) wire[i] = (uint8_t)(bits >> 8 * ('D' - order[i]));
    dest[0] = (uint16_t)(wire[0] << 8 | wire[1]);
    dest[1] = (uint16_t)(wire[2] << 8 | wire[3]);
}

static modbus_mapping_t *fill(void) {
    modbus_mapping_t *map = modbus_mapping_new(100, 100, 300, 300);
    if (!map) exit(1);
    for (int i = 0; i < 100; i++) {
        map->tab_bits[i] = i * 7 / 3 % 2;
        map->tab_input_bits[i] = i % 5 == 0;
    }
    for (int i = 0; i < 300; i++) {
        map->tab_registers[i] = (uint16_t)(i * 257 + 11);
        map->tab_input_registers[i] = (uint16_t)(65535 - i * 3);
    }
    put(123.5f, "ABCD", map->tab_registers + 200);
    put(-7.25f, "CDAB", map->tab_registers + 202);
    put(0.1f, "BADC", map->tab_registers + 204);
    put(1e6f, "DCBA", map->tab_registers + 206);
    put(-40.0f, "ABCD", map->tab_input_registers + 200);
    for (int i = 0; i < 2; i++) map->tab_registers[208 + i] = (uint16_t)(-123456789 >> (16 - 16 * i));
    for (int i = 0; i < 4; i++) map->tab_registers[210 + i] = (uint16_t)(INT64_C(-4503599627370503) >> (48 - 16 * i));
    return map;
}

/* One request; 0 where the client is gone. */
static int serve(modbus_t *ctx, modbus_mapping_t *map) {
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    int length = modbus_receive(ctx, query);
    if (length < 0) return 0;
    if (length == 0) return 1; /* for another unit of the line */
    int function = query[modbus_get_header_length(ctx)];
    if (function < 1 || function > 4) {
        fprintf(stderr, "function code %d\n", function);
        exit(3);
    }
    return modbus_reply(ctx, query, length, map) >= 0;
}

static void tcp(int port, modbus_mapping_t *map) {
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", port);
    int listening = modbus_tcp_listen(ctx, 8);
    if (listening < 0) exit(1);
    puts("ready");
    fflush(stdout);
    fd_set open;
    FD_ZERO(&open);
    FD_SET(listening, &open);
    for (int highest = listening;;) {
        fd_set readable = open;
        if (select(highest + 1, &readable, NULL, NULL, NULL) < 0) exit(1);
        for (int fd = 0; fd <= highest; fd++) {
            if (!FD_ISSET(fd, &readable)) continue;
            if (fd == listening) {
                int client = modbus_tcp_accept(ctx, &listening);
                if (client < 0) continue;
                FD_SET(client, &open);
                if (client > highest) highest = client;
            } else {
                modbus_set_socket(ctx, fd);
                if (serve(ctx, map)) continue;
                close(fd);
                FD_CLR(fd, &open);
            }
        }
    }
}

static void rtu(const char *device, int baud, modbus_mapping_t *map) {
    modbus_t *ctx = modbus_new_rtu(device, baud, 'N', 8, 1);
    modbus_set_slave(ctx, 1);
    if (modbus_connect(ctx) < 0) exit(1);
    puts("ready");
    fflush(stdout);
    for (;;) serve(ctx, map);
}

int main(int count, char **words) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    if (count == 3 && !strcmp(words[1], "tcp")) tcp(atoi(words[2]), fill());
    if (count == 4 && !strcmp(words[1], "rtu")) rtu(words[2], atoi(words[3]), fill());
    return 2;
}
