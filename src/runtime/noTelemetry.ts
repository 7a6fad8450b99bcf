/**
 * Since 1.29 ONNX Runtime collects events, keeps a device id in the user's cache and a database in the working folder,
 * unless this variable is set before the library loads. Threads have a copy of the environment that the library does
 * not see: the main thread must import this as well. A user who wants telemetry sets the variable to 0.
 */
process.env['ORT_DISABLE_TELEMETRY'] ||= '1'
