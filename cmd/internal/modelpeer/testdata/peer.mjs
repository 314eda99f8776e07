// Runs models in TensorFlow Lite itself. Standard input: a JSON list of
// {model, input}, both base64. Standard output: for each its outputs, in the
// order of the file, {name, type, shape, data}, or {error}.
import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';

const dir = path.join(process.argv[2], 'node_modules/@tensorflow/tfjs-tflite/wasm');
const name = 'tflite_web_api_cc';
const factory = createRequire(import.meta.url)(path.join(dir, name + '.js'));
const said = [];
const lite = await factory({
  wasmBinary: fs.readFileSync(path.join(dir, name + '.wasm')),
  print: (s) => said.push(s),
  printErr: (s) => said.push(s),
});

const list = (vector) => Array.from({length: vector.size()}, (_, i) => vector.get(i));

function run({model, input}) {
  said.length = 0;
  const bytes = Buffer.from(model, 'base64');
  const at = lite._malloc(bytes.length);
  lite.HEAPU8.set(bytes, at);
  try {
    const made = lite.TFLiteWebModelRunner.CreateFromBufferAndOptions(at, bytes.length, {numThreads: 1, enableProfiling: false, maxProfilingBufferEntries: 0});
    if (!made.ok()) return {error: made.errorMessage() + ' ' + said.join(' ')};
    const runner = made.value();
    const given = Buffer.from(input, 'base64');
    const first = list(runner.GetInputs())[0].data();
    new Uint8Array(first.buffer, first.byteOffset, first.byteLength).set(given);
    if (!runner.Infer()) return {error: 'infer: ' + said.join(' ')};
    const out = list(runner.GetOutputs()).map((t) => {
      const d = t.data();
      return {name: t.name, type: t.dataType, shape: t.shape, data: Buffer.from(d.buffer, d.byteOffset, d.byteLength).toString('base64')};
    });
    runner.delete();
    return {outputs: out};
  } catch (e) {
    return {error: String(e) + ' ' + said.join(' ')};
  } finally {
    lite._free(at);
  }
}

const jobs = JSON.parse(fs.readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(jobs.map(run)));
