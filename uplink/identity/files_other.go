//go:build !unix

package identity

// unixModes says whether permission bits tell who can read a file. They do
// not on Windows, where a user's files are protected by its directory, nor in
// a browser.
const unixModes = false

// syncDir does nothing: these systems have no way to flush a directory.
func syncDir(string) error { return nil }
