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

const char *onnxq_report_svg(const onnxq_report *report) { return report->report.svg; }

static oq_status save(onnxq_session *session, const char *text, const char *path, oq_error *err) {
    oq_writer *writer = NULL;
    OQ_TRY(oq_writer_open(&session->mem, path, &writer, err));
    const size_t length = strlen(text);
    oq_status status = oq_writer_write(writer, text, length, err);
    if (status == ONNXQ_OK && (!length || text[length - 1] != '\n'))
        status = oq_writer_write(writer, "\n", 1, err);
    if (status == ONNXQ_OK) return oq_writer_commit(writer, err);
    oq_writer_abort(writer);
    return status;
}

static const char *form_of(const oq_report *report, onnxq_report_form form) {
    switch (form) {
    case ONNXQ_REPORT_TEXT: return report->text;
    case ONNXQ_REPORT_JSON: return report->json;
    case ONNXQ_REPORT_PAGE: return report->html;
    case ONNXQ_REPORT_PICTURE: return report->svg;
    }
    return NULL;
}

onnxq_status onnxq_report_save(const onnxq_report *report, onnxq_report_form form, const char *path,
                               onnxq_error *err) {
    const char *text = form_of(&report->report, form);
    if (text) return save(report->session, text, path, err);
    if (form == ONNXQ_REPORT_PAGE)
        return oq_fail(err, ONNXQ_USAGE, "the report was not made as a page: ask for one in the options");
    return oq_fail(err, ONNXQ_USAGE, "the report has no picture: only a sweep's has one");
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
