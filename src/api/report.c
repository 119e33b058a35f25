// Reports as public objects.
#include "report/report.h"
#include "api/api.h"
#include "base/file.h"

#include <string.h>

struct onnxq_report {
    onnxq_session *session;
    oq_report report;
};

oq_status oq_report_wrap(onnxq_session *session, oq_report report, onnxq_report **out, oq_error *err) {
    onnxq_report *wrapped = oq_mem_calloc(&session->mem, 1, sizeof *wrapped, err);
    if (!wrapped) {
        oq_report_release(&session->mem, &report);
        return ONNXQ_NO_MEMORY;
    }
    *wrapped = (onnxq_report){session, report};
    *out = wrapped;
    return ONNXQ_OK;
}

const char *onnxq_report_text(const onnxq_report *report) { return report->report.text; }
const char *onnxq_report_json(const onnxq_report *report) { return report->report.json; }

onnxq_status onnxq_report_save_page(const onnxq_report *report, const char *path, onnxq_error *err) {
    const char *html = report->report.html;
    oq_writer *writer;
    if (!html)
        return oq_fail(err, ONNXQ_USAGE, "the report was not made as a page: ask for one in the options");
    OQ_TRY(oq_writer_open(&report->session->mem, path, &writer, err));
    const oq_status status = oq_writer_write(writer, html, strlen(html), err);
    if (status == ONNXQ_OK) return oq_writer_commit(writer, err);
    oq_writer_abort(writer);
    return status;
}

void onnxq_report_free(onnxq_report *report) {
    if (!report) return;
    oq_report_release(&report->session->mem, &report->report);
    oq_mem_free(&report->session->mem, report);
}

onnxq_status onnxq_operators(onnxq_session *session, onnxq_report **out, onnxq_error *err) {
    oq_report report;
    *out = NULL;
    OQ_TRY(oq_report_operators(&session->mem, &report, err));
    return oq_report_wrap(session, report, out, err);
}
