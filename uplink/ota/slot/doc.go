// Package slot keeps two slots, a and b, for updates of the agent beside the
// factory, which is the binary that was flashed with the image and is never
// written.
//
//	a/sealcamd, b/sealcamd      what is installed
//	a/confirmed, b/confirmed    that it has proven itself, and what it is
//	state                       which slot runs, and which is on trial
//
// The factory is also the launcher: at every start it asks [Store.Launch] which
// slot shall run and replaces itself by that. What is new has one start, which is
// recorded durably before it begins. Unless Confirm is called in the course of
// it, the next start runs the slot from before, whatever ended the trial.
//
// A slot runs only if its bytes have the SHA-256 that the signed release had, and
// never one below the newest release that was ever confirmed here; if none
// qualifies the factory runs. Each file is written whole, beside the old one, and
// takes its place in one step. State that is lost or damaged is made anew from
// what the slots say of themselves.
//
// What this package does not do: it trusts who may write its directory, for that
// is the camera's own user, who has its key as well. It decides on no release, and
// starts no process: main does what Launch says.
package slot
