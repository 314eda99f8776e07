// Package modelpeer holds the proof that capture/model calculates what
// TensorFlow Lite does: its tests run the same files, layer by layer, in both.
//
// What this package does not do: it is no part of the product and exports
// nothing.
package modelpeer
