// The numbers of the C++ side's enums: written by tests/cuda/test_codes.py, which also looks that they agree.
#pragma once

namespace catalase {

// Sums are cut every kChain terms, and the parts added in order: the rule of the CPU's products.
constexpr long long kChain = 4096;

enum Activation : int {
  kIdentity = 0,
  kRelu = 1,
  kTanh = 2,
  kSigmoid = 3,
  kSoftplus = 4,
  kElu = 5,
  kGelu = 6,
  kSilu = 7,
  kLeakyRelu = 8,
  kSelu = 9,
  kGeluTanh = 10,
  kMish = 11,
  kHardSigmoid = 12,
  kHardTanh = 13,
  kHardSwish = 14,
};
enum Map : int {
  kIdentityMap = 0,
  kReluMap = 1,
  kTanhMap = 2,
  kSigmoidMap = 3,
  kSoftplusMap = 4,
  kEluMap = 5,
  kGeluMap = 6,
  kSiluMap = 7,
  kLeakyReluMap = 8,
  kSeluMap = 9,
  kGeluTanhMap = 10,
  kMishMap = 11,
  kHardSigmoidMap = 12,
  kHardTanhMap = 13,
  kHardSwishMap = 14,
  kExpMap = 15,
  kLogMap = 16,
};
enum Loss : int {
  kSoftmaxLoss = 0,
  kSigmoidLoss = 1,
  kSquaredLoss = 2,
};
enum Rule : int {
  kSgdRule = 0,
  kMomentumRule = 1,
  kAdamRule = 2,
  kAdagradRule = 3,
  kRmspropRule = 4,
  kAmsgradRule = 5,
  kLionRule = 6,
};
enum Pool : int {
  kMaxPool = 0,
  kMeanPool = 1,
  kSumPool = 2,
};
enum Cell : int {
  kTanhCell = 0,
  kReluCell = 1,
  kGruCell = 2,
  kLstmCell = 3,
};
enum Border : int {
  kConstantBorder = 0,
  kEdgeBorder = 1,
  kReflectBorder = 2,
};
enum Output : int {
  kPackedOutput = 0,
  kDenseOutput = 1,
  kCountsOutput = 2,
};

}  // namespace catalase
