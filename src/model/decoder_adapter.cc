// SPDX-License-Identifier: EUPL-1.2
// Putting an adapter onto a decoder's layers, and taking it off.
#include "base/error.h"
#include "model/decoder.h"
#include "model/decoder_state.h"
#include "model/workspace.h"

namespace lem {
namespace {

void Detach(Decoder::State& s) {
  size_t vector = 0;  // vectors hold the gains and biases in the order they were read
  s.final_norm.gain = s.vectors[vector++];
  for (int i = 0; i < s.config.layers; ++i) {
    const WeightMap::Block& stored = s.map.blocks[static_cast<size_t>(i)];
    for (int p = 0; p < kProjections; ++p) {
      LoraLinear& linear = s.Linear(i, static_cast<Projection>(p));
      linear.trained = linear.down = linear.up = {};
      linear.inverse_norms = linear.factors = {};
      linear.scale = linear.dropout = 0;
      if (stored.bias[p]) linear.bias = s.vectors[vector++];
    }
    for (int n = 0; n < kNormSlots; ++n) {
      if (stored.norm[n]) s.NormOf(i, static_cast<NormSlot>(n)).gain = s.vectors[vector++];
    }
  }
}

void AttachModules(Decoder::State& s, const Adapter& adapter) {
  for (size_t i = 0; i < adapter.modules().size(); ++i) {
    const AdapterModule& m = adapter.modules()[i];
    LoraLinear& linear = s.Linear(m.layer, m.projection);
    LEM_CHECK(m.down.cols == linear.in && m.up.rows == linear.out);
    linear.down = m.down, linear.up = m.up;
    linear.scale = adapter.shape().scale;
    linear.dropout = adapter.shape().dropout;
    if (adapter.shape().type == TuneType::kDora) {
      linear.inverse_norms = s.dora.inverse_norms(i);
      linear.factors = s.dora.factors(i);
    }
  }
}

void AttachTensors(Decoder::State& s, const Adapter& adapter) {
  for (const TrainedTensor& t : adapter.tensors()) {
    const ConstVec row = ConstMat(t.value).Row(0);
    if (t.is_norm) {
      s.NormOf(t.layer, t.norm).gain = row;
    } else if (t.is_bias) {
      s.Linear(t.layer, t.projection).bias = row;
    } else {
      s.Linear(t.layer, t.projection).trained = t.value;
    }
  }
}

}  // namespace

void Decoder::State::RefreshDora() {
  std::vector<const Weight*> modules;
  if (adapter == nullptr || adapter->shape().type != TuneType::kDora) return;
  for (const AdapterModule& m : adapter->modules()) {
    modules.push_back(Linear(m.layer, m.projection).weight);
  }
  dora.Refresh(backend, modules);
}

void Decoder::SetAdapter(const Adapter* adapter) {
  State& s = *state_;
  Detach(s);
  s.adapter = adapter;
  s.dora.SetAdapter(adapter, s.map);
  s.arena_tokens = 0;  // the low-rank products need room of their own
  if (adapter == nullptr) return;
  AttachModules(s, *adapter);
  AttachTensors(s, *adapter);
  s.RefreshDora();
}

}  // namespace lem
