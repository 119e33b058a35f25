// A program of somebody else: finds the installed header and library through pkg-config alone.
#include <onnxq/onnxq.h>

#include <stdio.h>
#include <string.h>

int main(int count, char **args) {
    onnxq_error err = {0};
    onnxq_session *session = NULL;
    onnxq_model *model = NULL;
    onnxq_report *report = NULL;
    if (count != 2) return 2;
    const int ok = onnxq_session_new(NULL, &session, &err) == ONNXQ_OK &&
                   onnxq_model_load(session, args[1], &model, &err) == ONNXQ_OK &&
                   onnxq_inspect(model, &report, &err) == ONNXQ_OK &&
                   strstr(onnxq_report_text(report), "Conv");
    if (!ok) fprintf(stderr, "use: %s\n", err.message);
    onnxq_report_free(report);
    onnxq_model_free(model);
    onnxq_session_free(session);
    return ok ? 0 : 1;
}
