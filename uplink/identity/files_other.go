//go:build !unix

package identity

import "io/fs"

// unixModes says whether permission bits tell who can read a file. They do
// not on Windows, where a user's files are protected by its directory, nor in
// a browser.
const unixModes = false

// ownerOf does not know: there are no user ids.
func ownerOf(fs.FileInfo) (id int, known bool) { return 0, false }

// syncDir does nothing: these systems have no way to flush a directory.
func syncDir(string) error { return nil }
