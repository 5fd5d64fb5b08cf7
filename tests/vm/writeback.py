"""What a screen shows, read back through its driver's writeback connector.

Only the screen's master may ask for that, which is Fanlight: it is asked for through Fanlight's own
fd, while Fanlight stands still and asks for nothing itself.
"""
import contextlib
import ctypes
import mmap
import os
import select
import signal

import guest

PIDFD_GETFD = 438
CAP_WRITEBACK_CONNECTORS = 5
OBJECT_CONNECTOR = 0xc0c0c0c0
XRGB8888 = int.from_bytes(b'XR24', 'little')
ALLOW_MODESET = 0x400
PATIENCE_S = 60


class Resources(ctypes.Structure):
    _fields_ = [(f'{kind}_{what}', type_) for kind in ('fb', 'crtc', 'connector')
                for what, type_ in (('count', ctypes.c_int),
                                    ('ids', ctypes.POINTER(ctypes.c_uint32)))]


class Properties(ctypes.Structure):
    _fields_ = [('count', ctypes.c_uint32), ('ids', ctypes.POINTER(ctypes.c_uint32)),
                ('values', ctypes.POINTER(ctypes.c_uint64))]


class Property(ctypes.Structure):
    _fields_ = [('id', ctypes.c_uint32), ('flags', ctypes.c_uint32), ('name', ctypes.c_char * 32)]


@contextlib.contextmanager
def fds_of(process, path):
    """A process' own fds of a file, as ours."""
    fds = []
    pidfd = os.pidfd_open(process.pid)
    try:
        for fd, file in guest.open_files(process.pid).items():
            if file == str(path):
                fds.append(ctypes.CDLL(None).syscall(PIDFD_GETFD, pidfd, fd, 0))
        yield fds
    finally:
        for fd in (*fds, pidfd):
            os.close(fd)


@contextlib.contextmanager
def standing_still(process):
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


class Device:
    def __init__(self, fd):
        self.fd, self.drm = fd, ctypes.CDLL('libdrm.so.2')
        self.drm.drmModeGetResources.restype = ctypes.POINTER(Resources)
        self.drm.drmModeObjectGetProperties.restype = ctypes.POINTER(Properties)
        self.drm.drmModeGetProperty.restype = ctypes.POINTER(Property)
        self.drm.drmModeAtomicAlloc.restype = ctypes.c_void_p

    def do(self, verb, *arguments):
        result = getattr(self.drm, f'drmMode{verb}')(self.fd, *arguments)
        assert result == 0, f'{verb}: {os.strerror(-result)}'

    def properties(self, identity, kind):
        found = self.drm.drmModeObjectGetProperties(self.fd, identity, kind).contents
        for i in range(found.count):
            one = self.drm.drmModeGetProperty(self.fd, found.ids[i]).contents
            yield one.name.decode(), one.id

    def find_connectors(self):
        """The CRTC; the screen's connector and that of writeback, with their properties."""
        assert self.drm.drmSetClientCap(
            self.fd, CAP_WRITEBACK_CONNECTORS, ctypes.c_uint64(1)) == 0
        resources = self.drm.drmModeGetResources(self.fd).contents
        connectors = [(identity, dict(self.properties(identity, OBJECT_CONNECTOR)))
                      for identity in resources.connector_ids[:resources.connector_count]]
        connectors.sort(key=lambda connector: 'WRITEBACK_FB_ID' in connector[1])
        return resources.crtc_ids[0], *connectors

    def commit(self, *changes):
        """Each of (connector with its properties, values of some by their names)."""
        request = ctypes.c_void_p(self.drm.drmModeAtomicAlloc())
        for (connector, properties), values in changes:
            for name, value in values.items():
                self.drm.drmModeAtomicAddProperty(
                    request, connector, properties[name], ctypes.c_uint64(value))
        self.do('AtomicCommit', request, ALLOW_MODESET, None)
        self.drm.drmModeAtomicFree(request)

    def write_back(self, framebuffer):
        """Have what is shown written into a framebuffer, in the screen's stead and not besides."""
        crtc, screen, written = self.find_connectors()
        fence = ctypes.c_int32(-1)
        self.commit((screen, {'CRTC_ID': 0}), (written, {
            'CRTC_ID': crtc, 'WRITEBACK_FB_ID': framebuffer,
            'WRITEBACK_OUT_FENCE_PTR': ctypes.addressof(fence)}))
        assert select.select([fence.value], [], [], PATIENCE_S)[0], 'nothing was written back'
        os.close(fence.value)
        self.commit((written, {'CRTC_ID': 0}), (screen, {'CRTC_ID': crtc}))

    def read(self, width, height):
        handle, pitch, framebuffer = (ctypes.c_uint32() for _ in range(3))
        length, offset = ctypes.c_uint64(), ctypes.c_uint64()
        self.do('CreateDumbBuffer', width, height, 32, 0, ctypes.byref(handle),
                ctypes.byref(pitch), ctypes.byref(length))
        self.do('AddFB2', width, height, XRGB8888, *((ctypes.c_uint32 * 4)(value) for value in (
            handle.value, pitch.value, 0)), ctypes.byref(framebuffer), 0)
        self.do('MapDumbBuffer', handle, ctypes.byref(offset))
        self.write_back(framebuffer.value)
        with mmap.mmap(self.fd, length.value, offset=offset.value) as memory:
            pixels = memory[:]
        self.do('RmFB', framebuffer)
        self.do('DestroyDumbBuffer', handle)
        return [pixels[at:at + 4 * width] for at in range(0, pitch.value * height, pitch.value)]


def rows_on(card, process, size):
    """The rows that a process shows, of B G R X."""
    with standing_still(process), fds_of(process, card) as (fd,):
        return Device(fd).read(*size)
