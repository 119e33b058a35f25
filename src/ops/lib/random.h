// Random numbers from a seed: the Mersenne Twister with 53-bit uniform and polar normal numbers, in the order
// of numpy's RandomState, so that seeded results agree with the reference implementation of ONNX.
#ifndef OQ_OPS_LIB_RANDOM_H
#define OQ_OPS_LIB_RANDOM_H

#include "ops/lib/work.h"

typedef struct oq_random {
    uint32_t state[624];
    int next; // state words used up
    bool has_spare;
    double spare; // second of a pair of normal numbers
} oq_random;

void oq_random_seed(oq_random *random, uint32_t seed);
double oq_random_uniform(oq_random *random); // in [0, 1), multiples of 2^-53
double oq_random_normal(oq_random *random);  // mean 0, deviation 1
// The seed of a node: its attribute `seed` (int or float), else a fixed one, so that runs repeat.
uint32_t oq_random_seed_of(const oq_node *node);

#endif
