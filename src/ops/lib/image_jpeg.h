// The parts of the JPEG decoder: entropy-coded blocks (image_jpeg.c) and what becomes of them
// (image_jpeg_planes.c).
#ifndef OQ_OPS_LIB_IMAGE_JPEG_H
#define OQ_OPS_LIB_IMAGE_JPEG_H

#include "ops/lib/image.h"

// The samples of one component, in whole blocks; height and width say how many of them are the image's.
typedef struct oq_jpeg_plane {
    size_t height, width, stride;
    uint8_t *samples;
    size_t across, down; // pixels of the image that a sample covers
} oq_jpeg_plane;

// Inverse transform of dequantized coefficients, in rows, to 8 rows of 8 samples. The integer transform of
// Loeffler, Ligtenberg and Moschytz (1989) with 13 bits of fraction, rounded as libjpeg does.
void oq_jpeg_inverse(const int64_t coefficients[64], uint8_t *samples, size_t stride);

// Row `y` of the image from a plane; `row` has room for across * plane->width samples.
void oq_jpeg_upsample_row(const oq_jpeg_plane *plane, size_t y, uint8_t *row);

// One pixel of JFIF's YCbCr to red, green, blue.
void oq_jpeg_color(uint8_t y, uint8_t cb, uint8_t cr, uint8_t rgb[3]);

#endif
