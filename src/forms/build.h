// What the rewrites of this room share: new values and nodes, parameters of quantized values, the list of
// what is left.
#ifndef OQ_FORMS_BUILD_H
#define OQ_FORMS_BUILD_H

#include "forms/forms.h"

// Integers with what makes them numbers. The ids are values of the graph; zero OQ_NONE: left out.
typedef struct oq_form_operand {
    oq_value_id q, scale, zero;
    int axis;     // of the parameters when there are several; counted from the end when negative
    bool several; // one parameter per index of `axis`
} oq_form_operand;

// Input `index` of a node, or OQ_NONE.
oq_value_id oq_form_input(const oq_node *node, size_t index);
// Element type as far as the graph tells, and elements of a value whose shape is known, else -1.
oq_dtype oq_form_dtype(oq_graph *graph, oq_value_id value);
int64_t oq_form_elements(oq_graph *graph, oq_value_id value);
// The only element of a constant of one element; false when it is none.
bool oq_form_number(oq_graph *graph, oq_value_id value, double *out);
// True when both are the same value, or constants of the same type with the same elements.
bool oq_form_same(oq_graph *graph, oq_value_id a, oq_value_id b);

// New value `<name of like><suffix>` with the shape of `like`; ONNXQ_UNDEFINED: with its element type too.
oq_status oq_form_value(oq_graph *graph, oq_value_id like, const char *suffix, oq_dtype dtype,
                        oq_value_id *out, oq_error *err);
// Node with one output. OQ_NONE at the end of the inputs is cut off.
oq_status oq_form_node(oq_graph *graph, const char *name, const char *op_type, const oq_value_id *inputs,
                       size_t count, oq_value_id output, oq_node **out, oq_error *err);
// The same into a new value like `like`.
oq_status oq_form_make(oq_graph *graph, const char *op_type, const oq_value_id *inputs, size_t count,
                       oq_value_id like, const char *suffix, oq_dtype dtype, oq_value_id *out, oq_node **node,
                       oq_error *err);
// Initializer of one element, rank 0.
oq_status oq_form_scalar(oq_graph *graph, oq_value_id like, const char *suffix, oq_dtype dtype, double number,
                         oq_value_id *out, oq_error *err);
// The constant with its elements in another shape; itself when it has that shape.
oq_status oq_form_reshaped(oq_graph *graph, oq_value_id constant, const oq_shape *shape, oq_value_id *out,
                           oq_error *err);
// DequantizeLinear of an operand; one for all that ask for it.
oq_status oq_form_dequantized(oq_graph *graph, const oq_form_operand *operand, oq_value_id *out,
                              oq_error *err);
// The zero point of an operand of type `dtype`; zeros shaped as its scale where it is left out.
oq_status oq_form_zero(oq_graph *graph, const oq_form_operand *operand, oq_dtype dtype, oq_value_id *out,
                       oq_error *err);
// Copies all attributes but those that `without` (ended by NULL) names.
oq_status oq_form_copy_attrs(oq_graph *graph, const oq_node *from, oq_node *to, const char *const *without,
                             oq_error *err);

// Notes that a node stays as it is.
oq_status oq_forms_leave(oq_forms *forms, oq_graph *graph, const oq_node *node, const char *reason,
                         oq_error *err);

// Rewrites node by node, in the order of the graph, after constants behind quantization were folded; then
// takes out what nobody uses any more. `context` is handed on.
typedef oq_status oq_form_rewrite(oq_graph *graph, oq_node *node, void *context, oq_forms *forms,
                                  oq_error *err);
oq_status oq_forms_rewrite(oq_graph *graph, oq_form_rewrite *rewrite, void *context, oq_forms *forms,
                           oq_error *err);

#endif
