// Package trials are the fault trials: true cameras that seal as fast as they
// can, a true broker, and everything between them that breaks. Each ends when
// every picture and part that was sealed is verified by a viewer, or confessed as
// lost where there was no room for it. make fault-test runs them and prints what
// was sealed and what became of it; -long is the long form.
//
// What this package does not do: it holds no code but tests. The guest of
// cmd/internal/lab has the faults that need a kernel of their own.
package trials
