SUMMARY = "A camera whose pictures only its household can open"
HOMEPAGE = "https://github.com/sealcam/sealcam"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://src/${GO_IMPORT}/LICENSE;md5=657666b3c0873a731cb37fae255d7175"

GO_IMPORT = "github.com/sealcam/sealcam"
SRC_URI = "git://${GO_IMPORT}.git;protocol=https;branch=main;destsuffix=${BPN}-${PV}/src/${GO_IMPORT}"
SRCREV = "${AUTOREV}"
PV = "0+git"
S = "${WORKDIR}/${BPN}-${PV}"

inherit go-mod systemd useradd

CGO_ENABLED = "0"
GO_INSTALL = "${GO_IMPORT}/cmd/sealcamd"
GO_LINKSHARED = ""
# Modules are fetched while compiling, and checked against go.sum.
do_compile[network] = "1"

SYSTEMD_SERVICE:${PN} = "sealcamd.service"
USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system gpio"
USERADD_PARAM:${PN} = "--system --user-group --groups video,gpio --no-create-home --home-dir /var/lib/sealcam --shell /sbin/nologin sealcam"

do_install:append() {
	install -d ${D}${sysconfdir}/sealcam ${D}${systemd_system_unitdir}
	install -m 0644 ${S}/src/${GO_IMPORT}/cmd/sealcamd/sealcamd.toml ${D}${sysconfdir}/sealcam/sealcamd.toml
	install -m 0644 ${S}/src/${GO_IMPORT}/cmd/sealcamd/sealcamd.service ${D}${systemd_system_unitdir}/sealcamd.service
}

CONFFILES:${PN} = "${sysconfdir}/sealcam/sealcamd.toml"
