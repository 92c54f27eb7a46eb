/* Writes wire/crc32c_tables.h: the tables of CRC32C, computed from the polynomial alone.
 *   crc32c_step[k][b]   the CRC of byte b followed by k zero bytes, to take 8 bytes a step
 *   crc32c_long, _short what 4096 and 256 zero bytes make of a CRC, byte by byte of it, to join
 *                       lanes that were computed side by side */
#include <stdint.h>
#include <stdio.h>

#define POLYNOMIAL 0x82f63b78u /* Castagnoli, reversed */

static uint32_t step[8][256];

static void make_step(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int i = 0; i < 8; i++)
            crc = (crc >> 1) ^ (POLYNOMIAL & -(crc & 1));
        step[0][b] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (uint32_t b = 0; b < 256; b++)
            step[k][b] = (step[k - 1][b] >> 8) ^ step[0][step[k - 1][b] & 0xff];
    }
}

static uint32_t after_zeros(uint32_t crc, unsigned zeros)
{
    while (zeros-- > 0)
        crc = (crc >> 8) ^ step[0][crc & 0xff];
    return crc;
}

static void write_row(FILE *f, const uint32_t *row)
{
    fprintf(f, "    {");
    for (int b = 0; b < 256; b++)
        fprintf(f, "%s0x%08x,", b % 8 == 0 ? "\n     " : " ", row[b]);
    fprintf(f, "},\n");
}

static void write_shift(FILE *f, const char *name, unsigned zeros)
{
    fprintf(f, "static const uint32_t %s[4][256] = {\n", name);
    for (unsigned k = 0; k < 4; k++) {
        uint32_t row[256];
        for (uint32_t b = 0; b < 256; b++)
            row[b] = after_zeros(b << (8 * k), zeros);
        write_row(f, row);
    }
    fprintf(f, "};\n");
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "w") : NULL;
    if (!f)
        return 1;
    make_step();
    fprintf(f, "/* Made by wire/tools/crc32c_tables.c. */\n#include <stdint.h>\n\n");
    fprintf(f, "static const uint32_t crc32c_step[8][256] = {\n");
    for (int k = 0; k < 8; k++)
        write_row(f, step[k]);
    fprintf(f, "};\n#ifdef __SSE4_2__\n");
    write_shift(f, "crc32c_long", 4096);
    write_shift(f, "crc32c_short", 256);
    fprintf(f, "#endif\n");
    return fclose(f) == 0 ? 0 : 1;
}
