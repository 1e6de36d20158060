using Newtonsoft.Json;

namespace LatentBridge.Sessions.Control;

/// <summary>The names of the protocol's members, so that reading one makes no string.</summary>
static class MemberNames
{
    public static JsonNameTable Instance { get; } = Create();

    static DefaultJsonNameTable Create()
    {
        var table = new DefaultJsonNameTable();
        foreach (string name in (ReadOnlySpan<string>)
            [
                "jsonrpc", "id", "method", "params", "protocol", "protocolMinimum", "client", "process", "models", "mapping", "kind", "fd", "name", "length", "generation",
                "slot", "sequence", "stream", "run", "format", "space", "decoder", "size", "scaling", "batch", "encoding", "quality", "threads", "lastStepMilliseconds",
                "model", "calibrate", "data", "avoid", "file",
            ])
        {
            table.Add(name);
        }

        return table;
    }
}
