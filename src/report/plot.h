// Plots: panels of lines or bars over one shared axis of categories, as an SVG picture that reads on light
// and dark pages.
#ifndef OQ_REPORT_PLOT_H
#define OQ_REPORT_PLOT_H

#include "base/text.h"

typedef struct oq_plot_series {
    const char *name; // in the legend, which is drawn when there are several
    const double *y;  // [x_count]; what is not finite is left out
} oq_plot_series;

typedef struct oq_plot_panel {
    const char *title; // what is shown, with its unit
    const oq_plot_series *series;
    size_t series_count;
    int decimals;     // of the figures at the points; they are drawn when there is one series
    bool from_zero;   // the axis begins at 0; a single series is drawn as bars
    double reference; // a dashed line across, or NaN
    const char *reference_name;
} oq_plot_panel;

typedef struct oq_plot {
    const char *title, *subtitle, *x_title;
    const char *const *x; // [x_count] names of the categories
    size_t x_count;
    const oq_plot_panel *panels;
    size_t panel_count;
} oq_plot;

// Texts may hold any character; what XML does not allow is replaced.
void oq_plot_svg(const oq_plot *plot, oq_text *into);

#endif
