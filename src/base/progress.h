// The progress sink: how long work tells that it advances. The library itself never prints.
#ifndef OQ_BASE_PROGRESS_H
#define OQ_BASE_PROGRESS_H

#include <stddef.h>

typedef struct oq_progress {
    void *self;
    // `stage` is a short verb phrase ("calibrating"); called from one thread at a time; NULL = nobody
    // listens.
    void (*step)(void *self, const char *stage, size_t done, size_t total);
    // One sentence that the user must see though nothing failed ("no calibration data: ..."); NULL = nobody
    // listens.
    void (*note)(void *self, const char *sentence);
} oq_progress;

static inline void oq_progress_step(const oq_progress *progress, const char *stage, size_t done,
                                    size_t total) {
    if (progress && progress->step) progress->step(progress->self, stage, done, total);
}

static inline void oq_progress_note(const oq_progress *progress, const char *sentence) {
    if (progress && progress->note) progress->note(progress->self, sentence);
}

#endif
