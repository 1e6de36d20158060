using LatentBridge.Host;
using LatentBridge.Host.Output;
using LatentBridge.Onnx;

// Kinds of decoder that are not the core's own: a line each.
OnnxModels.Register();

StandardStreams.UseUtf8WhereRedirected();

// The host is started anew for every UI and must be up in milliseconds: it takes neither System.CommandLine nor Spectre.Console with it.
return args is ["serve", ..] ? ServeCommand.Run(args.AsSpan(1)) : CommandLine.Run(args);
