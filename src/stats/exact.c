// Exact sums of doubles: a wide integer in 32-bit digits with room for carries, so that adding and merging
// commute.
#include "stats/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGIT = 32 };

// The digits of a sum: limb k holds multiples of 2^(32 k - offset).
typedef struct digits {
    int64_t *limb;
    int count, offset;
} digits;

enum {
    WIDE = sizeof(oq_exact_sum) / sizeof(int64_t),
    WIDE_OFFSET = 640,
    NARROW = sizeof(oq_channel_sum) / sizeof(int64_t),
    SHIFT = 13, // limb k of the narrow one is limb k + 13 of the wide one
    NARROW_OFFSET = WIDE_OFFSET - SHIFT * DIGIT
};

static digits wide(oq_exact_sum *sum) { return (digits){sum->limb, WIDE, WIDE_OFFSET}; }

static digits narrow(oq_channel_sum *sum) { return (digits){sum->limb, NARROW, NARROW_OFFSET}; }

static void normalize(digits sum) {
    int64_t carry = 0;
    for (int k = 0; k < sum.count - 1; k++) {
        const int64_t value = sum.limb[k] + carry;
        carry = value >> DIGIT;
        sum.limb[k] = value & 0xffffffff;
    }
    sum.limb[sum.count - 1] += carry; // the sign is in the top digit
}

static void add(digits sum, double value) {
    if (value == 0 || !isfinite(value)) return;
    int exponent;
    const double fraction = frexp(value, &exponent);       // value = fraction * 2^exponent
    const int64_t mantissa = (int64_t)ldexp(fraction, 53); // 53 bits and a sign
    const int position = exponent - 53 + sum.offset;       // of the lowest bit of the mantissa
    if (position < 0 || position / DIGIT + 2 >= sum.count) return;
    int64_t *limb = sum.limb + position / DIGIT;
    const int shift = position % DIGIT;
    const uint64_t magnitude = (uint64_t)(mantissa < 0 ? -mantissa : mantissa);
    const int64_t sign = mantissa < 0 ? -1 : 1;
    const uint64_t low = magnitude << shift, high = shift ? magnitude >> (64 - shift) : 0;
    limb[0] += sign * (int64_t)(low & 0xffffffff);
    limb[1] += sign * (int64_t)(low >> DIGIT);
    limb[2] += sign * (int64_t)high;
    // Each limb takes 2^31 additions of 32-bit digits; normalising when one comes near keeps the sum exact
    // for ever.
    if (llabs(limb[0]) > INT64_MAX / 4 || llabs(limb[1]) > INT64_MAX / 4) normalize(sum);
}

// Both may be changed to their normal form.
static void merge(digits into, digits more) {
    normalize(more);
    normalize(into);
    for (int k = 0; k < into.count; k++) into.limb[k] += more.limb[k];
    normalize(into);
}

// `s` is changed.
static double round_once(digits s) {
    normalize(s);
    const bool negative = s.limb[s.count - 1] < 0;
    if (negative) {
        for (int k = 0; k < s.count; k++) s.limb[k] = -s.limb[k];
        normalize(s);
    }
    int top = s.count - 1;
    while (top > 0 && !s.limb[top]) top--;
    // The top three limbs hold 65 to 96 bits: 64 of them and one sticky bit for all below are rounded once
    // to 53.
    unsigned __int128 bits = 0;
    for (int k = top; k > top - 3; k--) bits = bits << DIGIT | (k >= 0 ? (uint64_t)s.limb[k] : 0);
    int drop = 0;
    bool sticky = false;
    for (; bits >> 64; drop++) {
        sticky |= (bool)(bits & 1);
        bits >>= 1;
    }
    for (int k = 0; k < top - 2; k++) sticky |= s.limb[k] != 0;
    const double value = ldexp((double)((uint64_t)bits | sticky), (top - 2) * DIGIT + drop - s.offset);
    return negative ? -value : value;
}

void oq_exact_sum_normalize(oq_exact_sum *sum) { normalize(wide(sum)); }

void oq_exact_sum_add(oq_exact_sum *sum, double value) { add(wide(sum), value); }

void oq_exact_sum_merge(oq_exact_sum *into, const oq_exact_sum *other) {
    oq_exact_sum more = *other;
    merge(wide(into), wide(&more));
}

double oq_exact_sum_get(const oq_exact_sum *sum) {
    oq_exact_sum s = *sum;
    return round_once(wide(&s));
}

void oq_channel_sum_add(oq_channel_sum *sum, double value) { add(narrow(sum), value); }

void oq_channel_sum_merge(oq_channel_sum *into, const oq_channel_sum *other) {
    oq_channel_sum more = *other;
    merge(narrow(into), narrow(&more));
}

double oq_channel_sum_get(const oq_channel_sum *sum) {
    oq_channel_sum s = *sum;
    return round_once(narrow(&s));
}

void oq_channel_sum_widen(const oq_channel_sum *sum, oq_exact_sum *out) {
    *out = (oq_exact_sum){0};
    memcpy(out->limb + SHIFT, sum->limb, sizeof sum->limb);
    normalize(wide(out));
}

bool oq_channel_sum_narrow(const oq_exact_sum *sum, oq_channel_sum *out) {
    oq_exact_sum again;
    memcpy(out->limb, sum->limb + SHIFT, sizeof out->limb);
    if (sum->limb[WIDE - 1] < 0) out->limb[NARROW - 1] -= INT64_C(1) << DIGIT; // its sign, where that stands
    oq_channel_sum_widen(out, &again);
    return memcmp(&again, sum, sizeof again) == 0;
}
