//go:build !unix

package agent

// lockState does nothing: cameras run on Linux.
func lockState(string) (unlock func() error, err error) { return func() error { return nil }, nil }
