// Package model runs a small neural network that the owner of a camera supplies:
// a TensorFlow Lite file that names what a picture shows, be it a classifier of
// the MobileNet class or an SSD detector. Everything is plain Go, so that it runs
// in a static binary on every board.
//
// New reads the file, refuses by name what it cannot run, and lays out all
// memory. Run then allocates nothing, and gives for the same input the same
// output on every machine: floating-point products are rounded before they are
// added, and integers follow the reference kernels of TensorFlow Lite
// (tensorflow/lite/kernels/internal/reference and .../common.h; the scheme is
// that of Jacob et al., "Quantization and Training of Neural Networks for
// Efficient Integer-Arithmetic-Only Inference", CVPR 2018).
//
// A model file is hostile until it has been read: each offset in it is checked,
// and its size, its memory and its work are bounded (MaxFile, MaxMemory,
// MaxWork), so that a look always ends.
//
// # What this package does not do
//
// It trains nothing and ships no weights. It runs no recurrent networks, no
// control flow, no batches and no floating-point input on integer weights
// ("dynamic range" files). It starts no goroutine, reads no file, and knows
// nothing of events: who calls it decides what to look at, and what the answer
// is good for.
package model

// Bounds of what New accepts.
const (
	MaxFile   = 48 << 20      // bytes of a model file
	MaxMemory = 96 << 20      // bytes of weights and working memory
	MaxWork   = 4_000_000_000 // multiply-adds of one look, or what costs as much
)

// Bounds of a model's parts. They keep reading a hostile file cheap.
const (
	maxTensors   = 2048
	maxOperators = 1024
	maxDims      = 6
	maxElements  = 64 << 20    // of one tensor
	maxDepth     = 32 << 10    // inputs that one output adds up: keeps 32-bit sums exact
	maxStep      = 400_000_000 // multiply-adds of one operator: between two, a look can be given up
	maxName      = 64          // bytes of a name that is told in an error
)
