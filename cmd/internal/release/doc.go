// Command release makes what is published: the agent for every board and the
// owner's tool, bare, as Debian packages and as tarballs with scripts for other
// init systems, with checksums, a bill of materials and a signed manifest.
//
//	release [-out DIR] [-number N] [-root FILE] [-dirty]    make them (SIGNING_KEY=FILE signs)
//	release verify -key FILE DIR    check what was published
//	release check                   make them in two folders and compare
//
// The same commit gives the same bytes, wherever it is made: the Go toolchain is
// the one that go.mod names, every setting that reaches a binary is given here,
// paths are left out, and all times are the commit's.
//
// What this command does not do: publish anything, or make update metadata
// (sealcam release does, from the manifest), or sign Debian packages (the
// repository that carries them does).
package main
