using LatentBridge.Host;
using LatentBridge.Host.Output;
using LatentBridge.Onnx;

FasterBuild.TakeOver(args);

// Kinds of decoder that are not the core's own: a line each.
OnnxModels.Register();

StandardStreams.UseUtf8WhereRedirected();

// Every UI starts a host, which must be up in milliseconds: it loads neither System.CommandLine nor Spectre.Console.
return args switch
{
    ["serve", ..] => ServeCommand.Run(args.AsSpan(1)),
    ["batch"] => BatchCommand.Run(),
    _ => CommandLine.Run(args),
};
