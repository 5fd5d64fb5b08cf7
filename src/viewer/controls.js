/*
 * The panel of a camera's controls, as its driver gives them. What is set is sent at once, one
 * change at a time; what the driver made of it is what the panel shows then.
 */
const SLIDER_STEPS_MOST = 10000; // more cannot be told apart on a slider

const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);

  made.append(...children);
  return made;
};

export class Controls {
  available = false;
  onchange = () => {};
  #panel;
  #form;
  #name; // camera
  #changed; // what its status counts
  #formatsSay; // what the selects were made from
  #rows = new Map();
  #waiting = {}; // controls to set next
  #sending = false;

  constructor(panel) {
    this.#panel = panel;
    this.#form = panel.querySelector('form');
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    panel.querySelector('.close').addEventListener('click', () => this.toggle());
  }

  get open() {
    return !this.#panel.hidden;
  }

  toggle() {
    if (!this.available)
      return;
    this.#panel.hidden = !this.#panel.hidden;
    document.body.classList.toggle('adjusting', this.open);
    this.onchange();
    if (this.open)
      this.#fetch();
  }

  /* The large camera is this one now, or none. */
  show(name) {
    if (this.open)
      this.toggle();
    this.#name = name;
    this.#changed = undefined;
    this.#waiting = {};
    this.available = false;
    this.onchange();
    if (name)
      this.#fetch();
  }

  /* How the camera is: its controls may have been changed elsewhere, or have come back with it. */
  hear({ online, controls_changed }) {
    const changed = `${online} ${controls_changed}`;

    if (this.#name && this.#changed !== undefined && changed !== this.#changed)
      this.#fetch();
    this.#changed = changed;
  }

  async #fetch() {
    const name = this.#name;
    const response = await fetch(`${name}/controls`, { cache: 'no-store' }).catch(() => undefined);
    const answer = response?.ok && await response.json().catch(() => undefined);

    if (name !== this.#name || this.#sending)
      return;
    if (answer)
      this.#render(answer);
    this.available = Boolean(answer?.controls?.length || answer?.formats?.length);
    if (!this.available && this.open) {
      this.#panel.hidden = true;
      document.body.classList.remove('adjusting');
    }
    this.onchange();
  }

  #set(control, value) {
    this.#waiting[control.name] = value;
    this.#send(() => {
      const controls = this.#waiting;

      this.#waiting = {};
      return Object.keys(controls).length && { controls };
    });
  }

  /* Send what next() gives, until it gives nothing. */
  async #send(next) {
    const name = this.#name;

    if (this.#sending)
      return;
    this.#sending = true;
    for (let body; this.#name === name && (body = next());) {
      const response = await fetch(`${name}/controls`, { method: 'PATCH',
        headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
      }).catch(() => undefined);
      const answer = await response?.json().catch(() => undefined);

      if (this.#name !== name)
        break;
      if (response?.ok)
        this.#render(answer);
      this.#complain(response?.ok ? '' : answer?.error ?? 'The server does not answer.',
        answer?.control);
      if (!response?.ok) {
        this.#waiting = {};
        this.#formatsSay = undefined; // what was chosen there is not what the camera has
      }
    }
    this.#sending = false;
    this.#fetch(); // for what was refused, and for what came elsewhere meanwhile
  }

  #complain(sentence, control) {
    for (const [name, { complaint }] of this.#rows)
      complaint.textContent = name === control ? sentence : '';
    this.#panel.querySelector('.complaint').textContent = this.#rows.has(control) ? '' : sentence;
  }

  /* Keep the rows that are there, for the focus and the hand that drags. */
  #render({ controls, format, formats }) {
    const known = controls.length === this.#known?.length && controls.every((control, i) =>
      ['name', 'type', 'minimum', 'maximum', 'step', 'menu'].every((key) =>
        JSON.stringify(control[key]) === JSON.stringify(this.#known[i][key])));

    if (!known || this.#form.dataset.camera !== this.#name)
      this.#build(controls);
    this.#known = controls;
    this.#form.dataset.camera = this.#name;
    for (const control of controls)
      if (!(control.name in this.#waiting))
        this.#rows.get(control.name).show(control);
    this.#renderFormats(format, formats ?? []);
  }

  #known;

  #build(controls) {
    const classes = new Map();

    this.#rows.clear();
    for (const control of controls) {
      const row = makeRow(control, (value) => this.#set(control, value));

      this.#rows.set(control.name, row);
      classes.set(control.class, [...classes.get(control.class) ?? [], row.element]);
    }
    this.#form.replaceChildren(...Array.from(classes, ([name, rows]) =>
      element('fieldset', {}, element('legend', { textContent: name }), ...rows)));
  }

  #renderFormats(format, formats) {
    const box = this.#panel.querySelector('.formats');
    const [fourcc, size, fps] = box.querySelectorAll('select');
    const says = JSON.stringify([this.#name, format, formats]);
    const fill = (select, options, chosen) => {
      select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
      select.value = chosen;
      if (select.selectedIndex < 0)
        select.selectedIndex = 0;
    };
    const ofFormat = () => formats.find((one) => one.fourcc === fourcc.value)?.sizes ?? [];
    const fillFps = () => fill(fps, (ofFormat()[size.value]?.fps ?? []).map((rate) =>
      [rate, `${rate} fps`]), format.fps);
    const fillSizes = () => {
      fill(size, ofFormat().map(({ width, height }, i) => [i, `${width} × ${height}`]),
        ofFormat().findIndex(({ width, height }) =>
          width === format.width && height === format.height));
      fillFps();
    };

    box.hidden = !format || !formats.length;
    if (box.hidden || this.#formatsSay === says)
      return;
    this.#formatsSay = says;
    fill(fourcc, formats.map((one) => [one.fourcc, one.description || one.fourcc]), format.fourcc);
    fillSizes();
    fourcc.onchange = fillSizes;
    size.onchange = fillFps;
    box.querySelector('button').onclick = () => {
      const { width, height } = ofFormat()[size.value];
      let body = { format: { fourcc: fourcc.value, width, height,
        ...fps.value && { fps: Number(fps.value) } } };

      this.#send(() => {
        const once = body;

        body = undefined;
        return once;
      });
    };
  }
}

/* A row of the panel: its element, show() for what the driver says, and where complaints go. */
function makeRow(control, set) {
  const id = `control-${control.name}`;
  const input = makeInput(control, set);
  const value = element('output', { htmlFor: id });
  const reset = element('button', { type: 'button', className: 'reset', textContent: '↺',
    title: 'Default', ariaLabel: `Default: ${control.label}`,
    onclick: () => set(control.default) });
  const complaint = element('p', { className: 'complaint', id: `${id}-complaint` });
  const name = element('label', { htmlFor: id, textContent: control.label });

  complaint.setAttribute('role', 'alert');
  input.element.id = id;
  input.element.setAttribute('aria-describedby', complaint.id);
  return {
    complaint,
    element: element('div', { className: `control ${control.type}` }, name, input.element, value,
      reset, complaint),
    show(now) {
      input.element.disabled = now.inactive || now.grabbed || now.read_only;
      input.element.title = now.inactive ? 'Another control decides.' :
        now.grabbed ? 'Not to be changed now.' : '';
      input.show(now.value);
      value.textContent = input.says?.(now.value) ?? '';
      reset.hidden = now.default === undefined || now.default === null ||
        now.type === 'button' || input.element.disabled;
      reset.disabled = now.value === now.default;
    },
  };
}

function makeInput(control, set) {
  const { type, minimum, maximum, step, label } = control;

  if (type === 'button')
    return makeButton(label, set);
  if (type === 'boolean')
    return makeCheckbox(set);
  if (control.menu)
    return makeMenu(control.menu, set);
  if (type === 'string' || type === 'bitmask')
    return makeText(control, set);
  return makeNumber(minimum, maximum, step, set);
}

function makeButton(label, set) {
  const button = element('button', { type: 'button', textContent: 'Press',
    ariaLabel: `Press: ${label}`, onclick: () => set(true) });

  return { element: button, show() {} };
}

function makeCheckbox(set) {
  const box = element('input', { type: 'checkbox', onchange: () => set(box.checked) });

  return { element: box, show: (value) => box.checked = value };
}

function makeMenu(menu, set) {
  const select = element('select', { onchange: () => set(Number(select.value)) },
    ...menu.map(({ value, label }) => new Option(label, value)));

  return { element: select, show: (value) => select.value = value };
}

function makeText({ type, maximum }, set) {
  const isMask = type === 'bitmask';
  const text = element('input', { type: 'text', spellcheck: false,
    onchange: () => set(isMask ? Number(text.value) : text.value) });

  if (isMask)
    text.pattern = '(0x[0-9a-fA-F]+|[0-9]+)';
  else if (maximum > 0)
    text.maxLength = maximum;
  return { element: text,
    show: (value) => text.value = isMask ? `0x${Number(value).toString(16)}` : value };
}

function makeNumber(min, max, step, set) {
  const isSlider = (max - min) / (step || 1) <= SLIDER_STEPS_MOST;
  const input = element('input', { type: isSlider ? 'range' : 'number', min, max,
    step: step || 1 });

  // A slider is followed while it moves, a number taken when it is whole.
  input[isSlider ? 'oninput' : 'onchange'] = () => set(Number(input.value));
  return { element: input, show: (value) => input.value = value,
    says: isSlider ? String : undefined };
}
