// Regular expressions in RE2's syntax, as far as POSIX extended expressions can say them.
#ifndef OQ_OPS_LIB_PATTERN_H
#define OQ_OPS_LIB_PATTERN_H

#include "base/text.h"

// Appends to `into` the POSIX extended expression (over bytes, C locale) that matches whole UTF-8 strings
// exactly when `pattern` does. What POSIX cannot say (flags, named groups, classes of Unicode) is
// UNSUPPORTED; a repeat of more than 1000 times, also by nesting, is BAD_MODEL as in RE2.
oq_status oq_pattern_translate(const char *pattern, oq_text *into, oq_error *err);

#endif
