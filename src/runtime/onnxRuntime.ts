/** ONNX Runtime without its telemetry. Import it from here only. */
import './noTelemetry.js'

export { env, InferenceSession, Tensor } from 'onnxruntime-node'
