/* eighth FILE ROUNDS: decodes a JPEG at 1/8 size to grey, ROUNDS times, and prints the
   processor time of one in nanoseconds, the size, and the sum of all pixels. It is what
   libjpeg's users have for a small grey picture: scaled inverse transform of 1x1, with
   colour not even converted. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <jpeglib.h>

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  FILE *f = fopen(argv[1], "rb");
  if (!f) return 1;
  static unsigned char data[1 << 24], row[1 << 16];
  size_t size = fread(data, 1, sizeof data, f);
  int rounds = atoi(argv[2]);
  unsigned long sum = 0;
  struct jpeg_decompress_struct c;
  struct jpeg_error_mgr e;
  c.err = jpeg_std_error(&e);
  jpeg_create_decompress(&c);
  struct timespec a, b;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  for (int i = 0; i < rounds; i++) {
    jpeg_mem_src(&c, data, size);
    jpeg_read_header(&c, TRUE);
    c.scale_num = 1;
    c.scale_denom = 8;
    c.out_color_space = JCS_GRAYSCALE;
    c.dct_method = JDCT_FASTEST;
    jpeg_start_decompress(&c);
    if (c.output_width > sizeof row) return 1;
    while (c.output_scanline < c.output_height) {
      unsigned char *rows[1] = {row};
      jpeg_read_scanlines(&c, rows, 1);
      if (i == 0)
        for (unsigned x = 0; x < c.output_width; x++) sum += row[x];
    }
    jpeg_finish_decompress(&c);
  }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  double ns = (b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec);
  printf("%.0f %u %u %lu\n", ns / rounds, c.output_width, c.output_height, sum);
  return 0;
}
