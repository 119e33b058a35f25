// The page of a conversion: one HTML file that needs nothing else.
#ifndef OQ_REPORT_HTML_H
#define OQ_REPORT_HTML_H

#include "report/json.h"

// Made from the JSON of oq_report_convert or oq_report_forms; whatever is not in it is left out of the page.
// Gives the report its page; on failure the report is released.
oq_status oq_html_convert(oq_mem *mem, const json_t *root, oq_report *report, oq_error *err);
// A text with what HTML reserves replaced.
void oq_html_text(const char *text, oq_text *into);

#endif
