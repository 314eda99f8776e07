include $(sort $(wildcard $(BR2_EXTERNAL_SEALCAM_PATH)/package/*/*.mk))
