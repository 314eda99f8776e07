//go:build !unix

package identity_test

func setUmask() {}
