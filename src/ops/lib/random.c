// Random numbers from a seed: the Mersenne Twister (MT19937 of Matsumoto and Nishimura, 1998).
#include "ops/lib/random.h"

#include <math.h>

enum { WORDS = 624, SHIFT = 397 };

void oq_random_seed(oq_random *random, uint32_t seed) {
    *random = (oq_random){.next = WORDS};
    random->state[0] = seed;
    for (uint32_t i = 1; i < WORDS; i++) {
        const uint32_t before = random->state[i - 1];
        random->state[i] = UINT32_C(1812433253) * (before ^ before >> 30) + i;
    }
}

// The next 624 words from the last ones.
static void twist(uint32_t *s) {
    for (int i = 0; i < WORDS; i++) {
        const uint32_t y = (s[i] & UINT32_C(0x80000000)) | (s[(i + 1) % WORDS] & UINT32_C(0x7FFFFFFF));
        s[i] = s[(i + SHIFT) % WORDS] ^ y >> 1 ^ (y & 1 ? UINT32_C(0x9908B0DF) : 0);
    }
}

static uint32_t next_word(oq_random *random) {
    if (random->next == WORDS) {
        twist(random->state);
        random->next = 0;
    }
    uint32_t y = random->state[random->next++];
    y ^= y >> 11;
    y ^= y << 7 & UINT32_C(0x9D2C5680);
    y ^= y << 15 & UINT32_C(0xEFC60000);
    return y ^ y >> 18;
}

double oq_random_uniform(oq_random *random) {
    const uint32_t high = next_word(random) >> 5, low = next_word(random) >> 6; // 27 and 26 bits
    return (high * 0x1p26 + low) * 0x1p-53;
}

double oq_random_normal(oq_random *random) {
    if (random->has_spare) {
        random->has_spare = false;
        return random->spare;
    }
    double a, b, square;
    do { // a point in the unit disc without its centre
        a = 2 * oq_random_uniform(random) - 1;
        b = 2 * oq_random_uniform(random) - 1;
        square = a * a + b * b;
    } while (square >= 1 || square == 0);
    const double scale = sqrt(-2 * log(square) / square);
    random->has_spare = true;
    random->spare = scale * a;
    return scale * b;
}

uint32_t oq_random_seed_of(const oq_node *node) {
    const oq_attr *seed = oq_node_attr(node, "seed");
    if (seed && seed->kind == OQ_ATTR_INT) return (uint32_t)seed->i;
    if (seed && seed->kind == OQ_ATTR_FLOAT) return (uint32_t)oq_to_i64((double)seed->f);
    return UINT32_C(5489); // nothing asks for another; the default of the published generator
}
