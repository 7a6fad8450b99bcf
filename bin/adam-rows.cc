// A Node addon that setup-tensorflow compiles and mim loads after TensorFlow's framework library: the
// operation MimAdamRows, lazy Adam on rows of a table. TensorFlow's own operations gather and scatter the
// rows of three large tables one after another and wait for memory at each row; this one visits each row
// once, in memory order, and prefetches.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <vector>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace {

using namespace tensorflow;

REGISTER_OP("MimAdamRows")
    .Input("table: resource")
    .Input("m: resource")
    .Input("v: resource")
    .Input("ids: int32")
    .Input("gradients: float")
    .Input("rate: float")
    .Input("epsilon: float")
    .Attr("keep_m: float")
    .Attr("take_m: float")
    .Attr("keep_v: float")
    .Attr("take_v: float")
    .Attr("l2: float")
    .SetShapeFn([](shape_inference::InferenceContext*) { return OkStatus(); });

// Rows prefetched ahead of the one being updated.
constexpr size_t kAhead = 8;
constexpr int64_t kLine = 64 / sizeof(float);

// An id and its row of the gradients.
struct Touch {
  uint32_t id, row;
};

// Stable radix sort by id: equal ids keep the order in which their gradients are summed.
void SortById(std::vector<Touch>& touches) {
  uint32_t highest = 0;
  for (const Touch& touch : touches) highest = std::max(highest, touch.id);
  std::vector<Touch> sorted(touches.size());
  for (int shift = 0; shift < 32 && highest >> shift > 0; shift += 8) {
    std::array<uint32_t, 257> start{};
    for (const Touch& touch : touches) start[(touch.id >> shift & 255) + 1]++;
    for (int digit = 0; digit < 256; digit++) start[digit + 1] += start[digit];
    for (const Touch& touch : touches) sorted[start[touch.id >> shift & 255]++] = touch;
    touches.swap(sorted);
  }
}

class AdamRows : public OpKernel {
 public:
  explicit AdamRows(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("keep_m", &keep_m_));
    OP_REQUIRES_OK(context, context->GetAttr("take_m", &take_m_));
    OP_REQUIRES_OK(context, context->GetAttr("keep_v", &keep_v_));
    OP_REQUIRES_OK(context, context->GetAttr("take_v", &take_v_));
    OP_REQUIRES_OK(context, context->GetAttr("l2", &l2_));
  }

  void Compute(OpKernelContext* context) override {
    std::array<core::RefCountPtr<Var>, 3> variables;
    for (int i = 0; i < 3; i++) {
      OP_REQUIRES_OK(context, LookupResource(context, HandleFromInput(context, i), &variables[i]));
    }
    const std::scoped_lock lock(*variables[0]->mu(), *variables[1]->mu(), *variables[2]->mu());
    const TensorShape shape = variables[0]->tensor()->shape();
    const int64_t rows = shape.dim_size(0), count = context->input(3).NumElements();
    const int64_t width = rows == 0 ? 0 : shape.num_elements() / rows;
    OP_REQUIRES(context, context->input(4).NumElements() == count * width,
                errors::InvalidArgument("the gradients do not have one row for each of the ", count, " ids"));
    Step step{{}, {}, {}, context->input(4).flat<float>().data(), width, context->input(5).scalar<float>()(),
              context->input(6).scalar<float>()()};
    for (int i = 0; i < 3; i++) {
      OP_REQUIRES(context, variables[i]->tensor()->shape() == shape,
                  errors::InvalidArgument("the moments do not have the shape of the table: ", shape.DebugString()));
      OP_REQUIRES_OK(context, MakeOwn(context, variables[i].get()));
      step.tables[i] = variables[i]->tensor()->flat<float>().data();
    }
    const int32_t* ids = context->input(3).flat<int32_t>().data();
    step.touches.reserve(count);
    for (int64_t i = 0; i < count; i++) {
      OP_REQUIRES(context, ids[i] >= 0 && ids[i] < rows,
                  errors::InvalidArgument("ids[", i, "] = ", ids[i], " is not in [0, ", rows, ")"));
      // Row 0 is padding and is never updated.
      if (ids[i] != 0) step.touches.push_back({static_cast<uint32_t>(ids[i]), static_cast<uint32_t>(i)});
    }
    SortById(step.touches);
    for (size_t i = 0; i < step.touches.size(); i++) {
      if (i == 0 || step.touches[i].id != step.touches[i - 1].id) step.first.push_back(i);
    }
    const size_t distinct = step.first.size();
    step.first.push_back(step.touches.size());
    context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(
        distinct, 200 + 10 * width, [this, &step](int64_t from, int64_t to) { Update(step, from, to); });
  }

 private:
  struct Step {
    std::array<float*, 3> tables;
    std::vector<Touch> touches;
    // Index of the first touch of each distinct id, and the end of the last.
    std::vector<size_t> first;
    const float* gradients;
    int64_t width;
    float rate, epsilon;
  };

  // Makes later readers of the variable get a copy, as TensorFlow's own scatter operations do.
  static Status MakeOwn(OpKernelContext* context, Var* variable) {
    if (!variable->tensor()->RefCountIsOne()) {
      Tensor own;
      TF_RETURN_IF_ERROR(context->allocate_temp(DT_FLOAT, variable->tensor()->shape(), &own));
      own.flat<float>() = variable->tensor()->flat<float>();
      *variable->tensor() = own;
    }
    variable->copy_on_read_mode.store(true);
    return OkStatus();
  }

  // Updates the rows of the distinct ids `from` to `to`.
  void Update(const Step& step, size_t from, size_t to) const {
    const int64_t width = step.width;
    std::vector<float> sum(width);
    for (size_t i = from; i < std::min(from + kAhead, to); i++) Fetch(step, i);
    for (size_t i = from; i < to; i++) {
      if (i + kAhead < to) Fetch(step, i + kAhead);
      std::fill(sum.begin(), sum.end(), 0.0f);
      for (size_t j = step.first[i]; j < step.first[i + 1]; j++) {
        const float* gradient = step.gradients + step.touches[j].row * width;
        for (int64_t k = 0; k < width; k++) sum[k] += gradient[k];
      }
      Move(step, step.touches[step.first[i]].id * width, sum.data());
    }
  }

  void Move(const Step& step, int64_t at, const float* __restrict gradient) const {
    float* __restrict table = step.tables[0] + at;
    float* __restrict m = step.tables[1] + at;
    float* __restrict v = step.tables[2] + at;
    for (int64_t k = 0; k < step.width; k++) {
      const float g = gradient[k] + table[k] * l2_;
      m[k] = m[k] * keep_m_ + g * take_m_;
      v[k] = v[k] * keep_v_ + g * g * take_v_;
      table[k] -= m[k] / (std::sqrt(v[k]) + step.epsilon) * step.rate;
    }
  }

  static void Fetch(const Step& step, size_t i) {
    const Touch& touch = step.touches[step.first[i]];
    for (int64_t k = 0; k < step.width; k += kLine) {
      for (float* table : step.tables) __builtin_prefetch(table + touch.id * step.width + k, 1);
      __builtin_prefetch(step.gradients + touch.row * step.width + k);
    }
  }

  float keep_m_, take_m_, keep_v_, take_v_, l2_;
};

REGISTER_KERNEL_BUILDER(Name("MimAdamRows").Device(DEVICE_CPU), AdamRows);

}  // namespace

extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) {
  return exports;
}
