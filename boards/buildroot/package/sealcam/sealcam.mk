################################################################################
#
# sealcam
#
################################################################################

SEALCAM_VERSION = main
SEALCAM_SITE = https://github.com/sealcam/sealcam.git
SEALCAM_SITE_METHOD = git
SEALCAM_LICENSE = Apache-2.0
SEALCAM_LICENSE_FILES = LICENSE
SEALCAM_GOMOD = github.com/sealcam/sealcam
SEALCAM_BUILD_TARGETS = cmd/sealcamd
SEALCAM_LDFLAGS = -X main.version=$(SEALCAM_VERSION)

define SEALCAM_USERS
	sealcam -1 sealcam -1 * /var/lib/sealcam - video sealcam camera
endef

define SEALCAM_INSTALL_SETTINGS
	$(INSTALL) -D -m 0644 $(@D)/cmd/sealcamd/sealcamd.toml \
		$(TARGET_DIR)/etc/sealcam/sealcamd.toml
endef
SEALCAM_POST_INSTALL_TARGET_HOOKS += SEALCAM_INSTALL_SETTINGS

define SEALCAM_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(@D)/cmd/sealcamd/sealcamd.init \
		$(TARGET_DIR)/etc/init.d/S95sealcamd
endef

define SEALCAM_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/cmd/sealcamd/sealcamd.service \
		$(TARGET_DIR)/usr/lib/systemd/system/sealcamd.service
endef

$(eval $(golang-package))
