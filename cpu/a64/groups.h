// cpu/a64/groups.h: every table of A64 instructions; the decoder is made from all of them.
#pragma once
#include "cpu/a64/insn.h"

namespace sluice::cpu::a64 {

extern const Group kSystemInstructions;

// cpu/a64/data_processing_immediate.cpp, data_processing_register.cpp, flag_manipulation.cpp, branches.cpp,
// pauth.cpp, loads_stores*.cpp
extern const Group kDataProcessingImmediate;
extern const Group kDataProcessingRegister;
extern const Group kFlagManipulation;
extern const Group kBranches;
extern const Group kPointerAuthentication;
extern const Group kLoadsStores;
extern const Group kLoadsStoresPair;
extern const Group kLoadsStoresExclusive;
extern const Group kAtomics;
extern const Group kSimdLoadsStores;
extern const Group kSimdLoadsStoresStructure;

// Advanced SIMD, floating-point and cryptographic data processing.
extern const Group kSimdThreeSame;
extern const Group kSimdScalarThreeSame;
extern const Group kSimdThreeSameFp;
extern const Group kSimdThreeSameFp16;
extern const Group kSimdScalarThreeSameFp;
extern const Group kSimdScalarThreeSameFp16;
extern const Group kSimdThreeSameExtra;
extern const Group kSimdTwoRegister;
extern const Group kSimdScalarTwoRegister;
extern const Group kSimdTwoRegisterFp;
extern const Group kSimdTwoRegisterFp16;
extern const Group kSimdScalarTwoRegisterFp;
extern const Group kSimdScalarTwoRegisterFp16;
extern const Group kSimdAcrossLanes;
extern const Group kSimdScalarPairwise;
extern const Group kSimdThreeDifferent;
extern const Group kSimdScalarThreeDifferent;
extern const Group kSimdByElement;
extern const Group kSimdScalarByElement;
extern const Group kSimdModifiedImmediate;
extern const Group kSimdShiftImmediate;
extern const Group kSimdScalarShiftImmediate;
extern const Group kSimdCopy;
extern const Group kSimdPermute;
extern const Group kCryptographic;
extern const Group kFpDataProcessing;
extern const Group kFpCompare;
extern const Group kFpConvertFixed;
extern const Group kFpConvertInteger;

}  // namespace sluice::cpu::a64
