/* A camera with a control of every type, as /CAMERA/controls would tell of it. */

const usual = { minimum: 0, maximum: 255, step: 1, inactive: false, grabbed: false,
  read_only: false, volatile: false };

const CONTROLS = [
  // This driver takes even values only.
  { name: 'brightness', label: 'Brightness', class: 'User', type: 'integer', default: 128 },
  { name: 'gain', label: 'Gain', class: 'User', type: 'integer', default: 10 },
  { name: 'horizontal_flip', label: 'Horizontal flip', class: 'User', type: 'boolean', maximum: 1,
    default: false },
  { name: 'power_line', label: 'Power line frequency', class: 'User', type: 'menu', maximum: 2,
    default: 1, menu: [{ value: 0, label: 'Disabled' }, { value: 1, label: '50 Hz' },
      { value: 2, label: '60 Hz' }] },
  { name: 'link_freq', label: 'Link frequency', class: 'Image', type: 'integer-menu', maximum: 1,
    default: 0, menu: [{ value: 0, label: '1000' }, { value: 1, label: '2000' }] },
  { name: 'grabbed', label: 'Taken by another', class: 'Image', type: 'integer', default: 1,
    grabbed: true },
  { name: 'auto_focus_once', label: 'Focus once', class: 'Camera', type: 'button', value: null },
  { name: 'mask', label: 'Mask', class: 'Camera', type: 'bitmask', maximum: 0x80002000,
    default: 0x80002000 },
  { name: 'title', label: 'Title', class: 'Camera', type: 'string', maximum: 32,
    default: 'camera' },
];

const size = { width: 640, height: 360, fps: [30, 15] };

export function controlsOf() {
  const controls = CONTROLS.map((control) => ({ ...usual, value: control.default, ...control }));
  const find = (name) => controls.find((control) => control.name === name);
  let format = { fourcc: 'YUYV', width: 640, height: 360, fps: 15 };
  const camera = { presses: 0, value: (name) => find(name).value, format: () => format };

  const set = (name, value) => {
    if (name === 'auto_focus_once')
      camera.presses++;
    else
      find(name).value = name === 'brightness' ? 2 * Math.ceil(value / 2) : value;
  };

  camera.answer = (method, body) => {
    if (body?.controls && 'gain' in body.controls)
      return [409, { error: 'gain is decided by autogain.', control: 'gain' }];
    if (method === 'PATCH')
      Object.entries(body.controls ?? {}).forEach(([name, value]) => set(name, value));
    format = body?.format ?? format;
    return [200, { controls, format, formats: [
      { fourcc: 'YUYV', description: 'YUYV 4:2:2', sizes: [size] },
      { fourcc: 'MJPG', description: 'Motion-JPEG', sizes: [size] },
    ] }];
  };
  return camera;
}
