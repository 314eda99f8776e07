//go:build js && wasm

// Command allvectors is uplink/seal's own runner of its published vectors,
// compiled for browsers: sealcamVector(text) on the global object says what is
// wrong, "" for nothing. Only tests use it.
package main

import (
	"syscall/js"

	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

func main() {
	js.Global().Set("sealcamVector", js.FuncOf(func(_ js.Value, args []js.Value) any {
		v, err := sealtest.Parse([]byte(args[0].String()))
		if err == nil {
			err = v.Run()
		}
		if err != nil {
			return err.Error()
		}
		return ""
	}))
	select {}
}
