// The statistics cache: a folder of statistics files, each named by all that its contents depend on.
#ifndef OQ_STATS_CACHE_H
#define OQ_STATS_CACHE_H

#include "stats/stats.h"

#define OQ_CACHE_BYTES ((uint64_t)256 << 20) // the folder's files together; the oldest go

// Of all sources that bear on statistics: a change of them may change bits (generated at build time).
extern const char oq_source_hash[];

typedef struct oq_cache_key {
    oq_hash model, data; // what the statistics must say that they are of
    oq_hash name;        // of both, of what was observed, and of this program
} oq_cache_key;

// Fills in `name`. `observed` and `axis` [count] are what calibration is told; model and data are set before.
oq_status oq_cache_key_name(oq_cache_key *key, oq_mem *mem, const bool *observed, const int *axis,
                            size_t count, oq_error *err);
// The statistics of that key, which then count as used just now; *out = NULL when there are none, and also,
// with an error, when there is a file that is damaged or of something else.
oq_status oq_cache_find(oq_mem *mem, const char *folder, const oq_cache_key *key, oq_stats **out,
                        oq_error *err);
// Writes them whole or not at all, making the folder when it is not there; then removes the files used
// longest ago while all are more than OQ_CACHE_BYTES. Statistics that hold NaN or infinity are not kept: they
// tell which sample to look at, and the key does not know of an order.
oq_status oq_cache_store(const oq_stats *stats, const char *folder, const oq_cache_key *key, oq_error *err);

#endif
