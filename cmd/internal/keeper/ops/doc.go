// Package ops holds what the people need who run keepers: alerts.yml, alert
// rules for Prometheus; dashboard.json, a dashboard for Grafana; and RUNBOOK.md,
// what each alert means and what to do.
//
// What this package does not do: anything. Its tests hold the files against
// each other and, with promtool, against series that fire each alert and series
// that do not; that every metric they name is one that a keeper has is tested
// beside "sealcam keep".
package ops
