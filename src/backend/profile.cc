// SPDX-License-Identifier: EUPL-1.2
#include "backend/profile.h"

#include <algorithm>
#include <chrono>

namespace lem {
namespace {

double BytesOf(ConstOperand x) {
  return static_cast<double>(x.rows) * static_cast<double>(x.cols) * (x.bf16 ? 2 : 4);
}
double Times(size_t a, size_t b) { return static_cast<double>(a) * static_cast<double>(b); }
double Times(size_t a, size_t b, size_t c) { return Times(a, b) * static_cast<double>(c); }

// A vocabulary has at least 8 times as many rows as columns; no other matrix of a block has.
bool IsVocabulary(const Weight& w) { return w.rows() >= 8 * w.cols(); }

// Visible (query, key) pairs of one sequence, its queries at positions first .. first + n - 1.
double Pairs(const AttentionShape& shape, int64_t first, int64_t n) {
  double pairs = 0;
  for (int64_t p = first; p < first + n; ++p) {
    pairs += static_cast<double>(shape.window > 0 ? std::min<int64_t>(p + 1, shape.window) : p + 1);
  }
  return pairs;
}
// One product over all pairs and heads.
double AttentionOperations(const AttentionShape& shape, double pairs) {
  return 2 * pairs * shape.heads * shape.head_dim;
}

}  // namespace

std::vector<ProfilePart> Profile::Parts() const {
  std::vector<ProfilePart> parts = parts_;
  std::ranges::stable_sort(parts, std::greater<>(), &ProfilePart::seconds);
  return parts;
}

class ProfiledBackend final : public Backend {
 public:
  ProfiledBackend(Backend& inner, Profile& profile) : inner_(inner), profile_(profile) {}

  std::string Name() const override { return inner_.Name(); }
  std::unique_ptr<Weight> Prepare(const StoredMatrix& matrix,
                                  const WeightOptions& options) override {
    return inner_.Prepare(matrix, options);
  }

  void Zero(Mat x) override {
    Run("zeros, copies, sums", 0, BytesOf(x), [&] { inner_.Zero(x); });
  }
  void Copy(ConstMat x, Operand y) override {
    Run("zeros, copies, sums", 0, BytesOf(x) + BytesOf(y), [&] { inner_.Copy(x, y); });
  }
  void Add(ConstMat x, Mat y) override {
    Run("zeros, copies, sums", 0, BytesOf(x) + 2 * BytesOf(y), [&] { inner_.Add(x, y); });
  }
  void AddScaledRows(ConstMat x, ConstVec s, Mat y) override {
    Run("zeros, copies, sums", 0, BytesOf(x) + 2 * BytesOf(y),
        [&] { inner_.AddScaledRows(x, s, y); });
  }

  void RmsNorm(ConstMat x, ConstVec gain, float eps, Operand y, Vec r) override {
    Run("norms", 0, BytesOf(x) + BytesOf(y), [&] { inner_.RmsNorm(x, gain, eps, y, r); });
  }
  void AddRmsNorm(ConstMat x, ConstVec gain, float eps, Mat y, Vec r) override {
    Run("norms", 0, BytesOf(x) + 2 * BytesOf(y), [&] { inner_.AddRmsNorm(x, gain, eps, y, r); });
  }
  void AddRmsNormBackward(ConstMat dy, ConstMat x, ConstVec gain, ConstVec r, Mat dx) override {
    Run("norms, gradients", 0, BytesOf(dy) + BytesOf(x) + 2 * BytesOf(dx),
        [&] { inner_.AddRmsNormBackward(dy, x, gain, r, dx); });
  }
  void AddRmsNormGainGrad(ConstMat dy, ConstMat x, ConstVec r, Vec dgain) override {
    Run("norms, gradients", 0, BytesOf(dy) + BytesOf(x),
        [&] { inner_.AddRmsNormGainGrad(dy, x, r, dgain); });
  }

  void MatMul(ConstOperand x, std::span<const Product> products) override {
    double operations = 0, bytes = BytesOf(x);
    for (const Product& p : products) {
      operations += 2 * Times(x.rows, x.cols, p.y.cols);
      bytes += static_cast<double>(p.weight->bytes()) + BytesOf(p.y);
    }
    const bool logits = products.size() == 1 && IsVocabulary(*products[0].weight);
    Run(logits ? "logits" : "frozen weights, forward", operations, bytes,
        [&] { inner_.MatMul(x, products); });
  }
  void AddMatMulInputGrad(ConstOperand dy, const Weight& w, Mat dx) override {
    Run("frozen weights, gradients of inputs", 2 * Times(dy.rows, dy.cols, dx.cols),
        BytesOf(dy) + static_cast<double>(w.bytes()) + 2 * BytesOf(dx),
        [&] { inner_.AddMatMulInputGrad(dy, w, dx); });
  }
  void AddSparseMatMulInputGrad(ConstMat dy, const Weight& w, Mat dx) override {
    Run("logits, gradient of inputs", 2 * Times(dy.rows, dy.cols, dx.cols),
        BytesOf(dy) + static_cast<double>(w.bytes()) + 2 * BytesOf(dx),
        [&] { inner_.AddSparseMatMulInputGrad(dy, w, dx); });
  }
  void Embed(std::span<const int32_t> ids, const Weight& w, float scale, Mat y) override {
    Run("embedding", 0, BytesOf(y), [&] { inner_.Embed(ids, w, scale, y); });
  }

  void AddMatMul(Precision p, float s, ConstOperand x, ConstMat w, Mat y) override {
    Run("trained weights, forward", 2 * Times(x.rows, x.cols, y.cols),
        BytesOf(x) + BytesOf(w) + 2 * BytesOf(y), [&] { inner_.AddMatMul(p, s, x, w, y); });
  }
  void AddMatMulInputGrad(Precision p, float s, ConstOperand dy, ConstMat w, Mat dx) override {
    Run("trained weights, gradients", 2 * Times(dy.rows, dy.cols, dx.cols),
        BytesOf(dy) + BytesOf(w) + 2 * BytesOf(dx),
        [&] { inner_.AddMatMulInputGrad(p, s, dy, w, dx); });
  }
  void AddMatMulWeightGrad(Precision p, float s, ConstOperand dy, ConstOperand x, Mat dw) override {
    Run("trained weights, gradients", 2 * Times(dy.rows, dw.rows, dw.cols),
        BytesOf(dy) + BytesOf(x) + 2 * BytesOf(dw),
        [&] { inner_.AddMatMulWeightGrad(p, s, dy, x, dw); });
  }

  void Rope(const RopeTable& table, std::span<const int32_t> positions, int heads, bool inverse,
            Mat x) override {
    Run("rotation", 0, 2 * BytesOf(x), [&] { inner_.Rope(table, positions, heads, inverse, x); });
  }

  void Attention(const AttentionShape& shape, std::span<const Segment> segments, ConstMat q,
                 ConstMat k, ConstMat v, Mat o, Mat lse) override {
    Run("attention", 2 * OperationsOf(shape, segments),
        BytesOf(q) + BytesOf(k) + BytesOf(v) + BytesOf(o),
        [&] { inner_.Attention(shape, segments, q, k, v, o, lse); });
  }
  void AddAttentionBackward(const AttentionShape& shape, std::span<const Segment> segments,
                            ConstMat q, ConstMat k, ConstMat v, ConstMat o, ConstMat lse,
                            ConstMat d_o, Mat dq, Mat dk, Mat dv) override {
    Run("attention, gradients", 5 * OperationsOf(shape, segments),
        2 * (BytesOf(q) + BytesOf(k) + BytesOf(v) + BytesOf(o)) + BytesOf(dq),
        [&] { inner_.AddAttentionBackward(shape, segments, q, k, v, o, lse, d_o, dq, dk, dv); });
  }
  void StoreKv(ConstMat k, ConstMat v, int64_t first_row_position, const KvRing& ring) override {
    Run("cache", 0, BytesOf(k) + BytesOf(v),
        [&] { inner_.StoreKv(k, v, first_row_position, ring); });
  }
  void AttentionCached(const AttentionShape& shape, std::span<const CachedSegment> segments,
                       ConstMat q, Mat o) override {
    double pairs = 0;
    for (const CachedSegment& s : segments)
      pairs += Pairs(shape, s.first, static_cast<int64_t>(s.end - s.begin));
    Run("attention", 2 * AttentionOperations(shape, pairs), BytesOf(q) + BytesOf(o),
        [&] { inner_.AttentionCached(shape, segments, q, o); });
  }

  void GatedActivation(Activation act, ConstMat gate, ConstMat up, Operand z) override {
    Run("gates", 0, BytesOf(gate) + BytesOf(up) + BytesOf(z),
        [&] { inner_.GatedActivation(act, gate, up, z); });
  }
  void AddGatedActivationBackward(Activation act, ConstMat gate, ConstMat up, ConstMat dz,
                                  Mat dgate, Mat dup) override {
    Run("gates, gradients", 0, 3 * BytesOf(gate) + 4 * BytesOf(dgate),
        [&] { inner_.AddGatedActivationBackward(act, gate, up, dz, dgate, dup); });
  }

  void Softcap(float c, Mat z) override {
    Run("softmax and loss", 0, 2 * BytesOf(z), [&] { inner_.Softcap(c, z); });
  }
  void CrossEntropy(ConstMat logits, std::span<const int32_t> targets, Vec loss) override {
    Run("softmax and loss", 0, BytesOf(logits),
        [&] { inner_.CrossEntropy(logits, targets, loss); });
  }
  void CrossEntropyGradient(std::span<const int32_t> targets, const LogitGradient& how, Vec loss,
                            Mat logits) override {
    Run("softmax and loss", 0, 2 * BytesOf(logits),
        [&] { inner_.CrossEntropyGradient(targets, how, loss, logits); });
  }

 private:
  static double OperationsOf(const AttentionShape& shape, std::span<const Segment> segments) {
    double pairs = 0;
    for (const Segment& s : segments)
      pairs += Pairs(shape, 0, static_cast<int64_t>(s.end - s.begin));
    return AttentionOperations(shape, pairs);
  }

  template <class Work>
  void Run(const char* name, double operations, double bytes, const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    auto part = std::ranges::find(profile_.parts_, name, &ProfilePart::name);
    if (part == profile_.parts_.end()) {
      profile_.parts_.push_back({.name = name});
      part = std::prev(profile_.parts_.end());
    }
    ++part->calls;
    part->seconds += seconds.count();
    part->operations += operations;
    part->bytes += bytes;
  }

  Backend& inner_;
  Profile& profile_;
};

std::unique_ptr<Backend> MakeProfiledBackend(Backend& inner, Profile& profile) {
  return std::make_unique<ProfiledBackend>(inner, profile);
}

}  // namespace lem
