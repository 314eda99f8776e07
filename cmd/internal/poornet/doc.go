// Package poornet holds the proof that an event's picture is seen before its clip
// on a poor network: its tests run the true sealcamd behind links that the kernel
// makes thin and lossy, in network namespaces of their own.
//
// What this package does not do: it is no part of the product and exports nothing.
// It changes no network setting of the machine that it runs on.
package poornet
