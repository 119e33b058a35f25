// The page of a conversion: one HTML file that needs nothing else.
#ifndef OQ_REPORT_HTML_H
#define OQ_REPORT_HTML_H

#include "report/json.h"

// Made from the JSON of oq_report_convert; whatever is not in it is left out of the page.
void oq_html_convert(const json_t *root, oq_text *into);
// A text with what HTML reserves replaced.
void oq_html_text(const char *text, oq_text *into);

#endif
