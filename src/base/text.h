// Growing text and small string helpers: prints, reports and names are built here, nothing is truncated
// silently.
#ifndef OQ_BASE_TEXT_H
#define OQ_BASE_TEXT_H

#include "base/mem.h"

// A NUL-terminated growing text. The first failed append is remembered in `failed`; later ones do nothing, so
// that a long print needs one check at its end.
typedef struct oq_text {
    oq_mem *mem;
    char *data; // never NULL after init succeeded in appending once; use oq_text_get
    size_t length, capacity;
    bool failed;
} oq_text;

void oq_text_init(oq_text *text, oq_mem *mem);
void oq_text_release(oq_text *text);
void oq_text_add(oq_text *text, const char *string);
void oq_text_add_bytes(oq_text *text, const void *bytes, size_t count);
__attribute__((format(printf, 2, 3))) void oq_text_printf(oq_text *text, const char *format, ...);
const char *oq_text_get(const oq_text *text); // "" when empty

// Shell-style match of a whole name: * ? [a-z]; / is an ordinary character.
bool oq_glob_match(const char *pattern, const char *name);
// The candidate nearest to `word` by edit distance, or NULL when none is near enough to be meant.
const char *oq_nearest_word(const char *word, const char *const *candidates, size_t count);
// "1.2 MB", "340 kB", "12 B" into `buffer` (at least 24 bytes).
const char *oq_format_bytes(char *buffer, size_t size, uint64_t bytes);

#endif
