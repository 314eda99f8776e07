//go:build sealcam_no_camera_check

package main

// The tag sealcam_no_camera_check takes a check out of uplink/seal, for a test
// of sealcam drill. This line keeps it from ever reaching a camera or a browser.
var _ = sealcam_no_camera_check_is_for_tests_only
