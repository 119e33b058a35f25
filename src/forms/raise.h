// Raising's inside: parameters as integer operators hold them, turned into those of DequantizeLinear.
#ifndef OQ_FORMS_RAISE_H
#define OQ_FORMS_RAISE_H

#include "forms/build.h"

// Integers with scale and zero point of any shape that integer operators allow, as an operand whose
// parameters are one number or one vector along one axis. `axis`: where a plain vector lies. *reason is set
// when DequantizeLinear has no such form.
oq_status oq_raise_operand(oq_graph *graph, oq_value_id q, oq_value_id scale, oq_value_id zero, int axis,
                           oq_form_operand *out, const char **reason, oq_error *err);

// raise_sums.c: scales that one DequantizeLinear and a Split make (quant/emit_scales.c) as constants again.
oq_status oq_raise_joined_scales(oq_graph *graph, oq_error *err);
// MatMulInteger, ConvInteger, MatMulIntegerToFloat, DynamicQuantizeMatMul. *found is false when
// the node is none of them, or of ai.onnx and `foreign_only`.
oq_status oq_raise_sums(oq_graph *graph, oq_node *node, bool foreign_only, oq_forms *forms, bool *found,
                        oq_error *err);

#endif
