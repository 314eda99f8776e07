# Chooses a root slot. The environment is two copies of one sector, each with its
# CRC-32; what is written is written to the second copy as it was, then anew to the
# first, then to the second, so that one of them is whole whenever the power fails.
setenv vars sealcam_slot sealcam_trial sealcam_tries sealcam_number sealcam_version sealcam_fell
setenv tmp ${ramdisk_addr_r}
${devtype} dev ${devnum}
if ${devtype} read ${tmp} @ENV0@ 1 && env import -c ${tmp} 200 ${vars}; then
	true
elif ${devtype} read ${tmp} @ENV1@ 1 && env import -c ${tmp} 200 ${vars}; then
	echo "sealcam: the first copy of the environment is damaged"
else
	echo "sealcam: no environment: slot a"
	setenv sealcam_slot a
	setenv sealcam_tries
fi
if test "${sealcam_slot}" != b; then setenv sealcam_slot a; fi
setenv slot ${sealcam_slot}
setenv trial 0

# A try is used up before it is taken: whatever ends it, the next start goes back.
if test "${sealcam_tries}" = 1; then
	env export -c -s 200 ${tmp} ${vars}
	${devtype} write ${tmp} @ENV1@ 1
	setenv sealcam_tries 0
	env export -c -s 200 ${tmp} ${vars}
	if ${devtype} write ${tmp} @ENV0@ 1 && ${devtype} write ${tmp} @ENV1@ 1; then
		if test "${sealcam_trial}" = a; then setenv slot a; setenv trial 1; fi
		if test "${sealcam_trial}" = b; then setenv slot b; setenv trial 1; fi
	fi
fi

setenv start 'if test ${slot} = a; then setenv part 2; else setenv part 3; fi; echo "sealcam: slot ${slot}, trial ${trial}"; setenv bootargs @ARGS@ sealcam.slot=${slot} sealcam.trial=${trial}; load ${devtype} ${devnum}:${part} ${kernel_addr_r} vmlinuz && load ${devtype} ${devnum}:${part} ${ramdisk_addr_r} initrd && booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr}'
run start
echo "sealcam: slot ${slot} cannot be started"
if test ${trial} = 1; then reset; fi
if test ${slot} = a; then setenv slot b; else setenv slot a; fi
run start
echo "sealcam: no slot can be started"
sleep 10
reset
