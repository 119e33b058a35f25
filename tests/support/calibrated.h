// A float model from text, prepared and calibrated on made-up samples: what searches begin with.
#ifndef OQ_TESTS_CALIBRATED_H
#define OQ_TESTS_CALIBRATED_H

#include "calib/calib.h"
#include "support/graphs.h"

typedef struct test_calibrated {
    oq_mem mem;
    oq_model *model; // prepared: constants are folded, types inferred
    oq_dataset *data;
    oq_stats *stats;
} test_calibrated;

// 24 samples; fails the test on an error.
void test_calibrated_init(test_calibrated *c, const char *text);
void test_calibrated_release(test_calibrated *c); // also checks that all memory was given back

#endif
