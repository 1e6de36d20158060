using System.Text.Json;
using LatentBridge.Fitting;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Simd;

namespace LatentBridge.Sessions.Control;

/// <summary>What to do after a line.</summary>
public enum ChannelState
{
    /// <summary>Read the next.</summary>
    Open,

    /// <summary>The shim asked the host to end.</summary>
    ShutDown,

    /// <summary>The versions do not meet: end with exit code 3.</summary>
    VersionsDoNotMeet,
}

/// <summary>What the shim said in <c>hello</c>.</summary>
/// <param name="Client">Name and version.</param>
/// <param name="Process">Its process id, 0 when not said.</param>
/// <param name="Models">Folders to search for weights.</param>
/// <param name="Data">The folder for what is kept; null: this user's.</param>
/// <param name="Avoid">Decoders to leave out.</param>
public sealed record Greeting(string Client, int Process, IReadOnlyList<string> Models, string? Data, IReadOnlyList<AvoidedDecoder> Avoid);

/// <summary>The control channel: JSON-RPC lines in, JSON-RPC lines out, over one <see cref="PreviewSession"/>. Knows no pipe.</summary>
/// <remarks>One thread calls <see cref="Receive"/>; the output is called from that one and from the session's worker, never by two at once.</remarks>
public sealed class ControlChannel : IPreviewSink, IDisposable
{
    const string Methods = "hello, attach, configure, status, decode, encode, teach, shutdown, begin, submit, release, cancel, end";

    readonly ControlMessage _message = new();
    readonly ControlWriter _writer;
    readonly Func<Greeting, IPreviewSink, PreviewSession> _begin;
    readonly Action<string> _log;
    readonly string _version;
    PreviewSession? _session;

    /// <summary>Opens a channel.</summary>
    /// <param name="output">Takes one whole line, its line feed included; the bytes are valid during the call only.</param>
    /// <param name="begin">Makes the session when the shim has said hello.</param>
    /// <param name="log">Takes a line for people.</param>
    /// <param name="version">The host's version.</param>
    public ControlChannel(Action<ReadOnlyMemory<byte>> output, Func<Greeting, IPreviewSink, PreviewSession> begin, Action<string> log, string version)
    {
        _writer = new ControlWriter(output);
        _begin = begin;
        _log = log;
        _version = version;
    }

    /// <summary>Handles one line, without its line feed. Never throws for what the line says.</summary>
    public ChannelState Receive(ReadOnlySpan<byte> line)
    {
        if (line.TrimEnd((byte)'\r').IsEmpty)
        {
            return ChannelState.Open;
        }

        try
        {
            _message.Read(line);
            return Handle();
        }
        catch (ControlException e)
        {
            Refuse(e.Code, e.Message);
            return e.Code == ControlException.VersionsDoNotMeet ? ChannelState.VersionsDoNotMeet : ChannelState.Open;
        }
        catch (MappingException e)
        {
            Refuse(ControlException.MappingRefused, e.Message);
            return ChannelState.Open;
        }
    }

    /// <summary>Answers a line that was longer than a line may be.</summary>
    public void RefuseLongLine() => _writer.Error(null, ControlException.NotJson, $"The line is longer than {Protocol.MaximumLineLength} bytes.");

    /// <summary>Ends the session, if one began.</summary>
    public void Dispose()
    {
        _session?.Dispose();
        _writer.Dispose();
    }

    void IPreviewSink.Released(int slot, ulong sequence) => _writer.Released(slot, sequence);

    void IPreviewSink.Ready(in ReadyPreview preview) => _writer.Ready(preview);

    void IPreviewSink.ClipReady(in ReadyPreview preview, in ClipPlace place) => _writer.Clip(preview, place);

    void IPreviewSink.Dropped(in DroppedLatent dropped) => _writer.Dropped(dropped);

    void IPreviewSink.Decoded(DecodeRequest request, in ReadyPreview preview) => _writer.Decoded(request.Tag, preview);

    void IPreviewSink.DecodeFailed(DecodeRequest request, in DroppedLatent dropped) => RefusePicture(request.Tag, dropped);

    void IPreviewSink.Encoded(EncodeRequest request, in ReadyPreview preview) => _writer.Decoded(request.Tag, preview);

    void IPreviewSink.EncodeFailed(EncodeRequest request, in DroppedLatent dropped) => RefusePicture(request.Tag, dropped);

    void IPreviewSink.Taught(TeachRequest request, CalibratedMap map, bool isUsed)
    {
        if (request.Tag is not null)
        {
            _writer.Result(request.Tag, json => StatusWriter.Write(json, map, isUsed));
        }
    }

    void IPreviewSink.TeachFailed(TeachRequest request, string why)
    {
        if (request.Tag is not null)
        {
            _writer.Error(request.Tag, ControlException.NothingLearned, why);
        }
        else
        {
            _log(why);
        }
    }

    void IPreviewSink.Loading(string decoder, string? file) => _writer.Loading("loading", decoder, file);

    void IPreviewSink.Loaded(string decoder, string? file) => _writer.Loading("loaded", decoder, file);

    void IPreviewSink.Log(string message) => _log(message);

    ChannelState Handle()
    {
        if (_message.Method == "hello")
        {
            Hello();
            return ChannelState.Open;
        }

        PreviewSession session = _session ?? throw new ControlException(ControlException.NotReady, $"\"hello\" must come before \"{_message.Method}\".");
        switch (_message.Method)
        {
            case "submit":
                session.Submit(Slot, Sequence);
                return ChannelState.Open;
            case "release":
                session.Release(Slot);
                return ChannelState.Open;
            case "begin":
                session.Begin(Stream, Run, Format(), Space, _message.Options.Apply(session.Defaults, session.Encodings), _message.Model);
                return ChannelState.Open;
            case "cancel":
                session.Cancel(Stream, Run);
                return ChannelState.Open;
            case "end":
                session.End(Stream, Run);
                return ChannelState.Open;
            case "attach":
                Attach(session);
                return ChannelState.Open;
            case "configure":
                Configure(session);
                return ChannelState.Open;
            case "status":
                Report(session.Status());
                return ChannelState.Open;
            case "decode":
                Decode(session);
                return ChannelState.Open;
            case "encode":
                Encode(session);
                return ChannelState.Open;
            case "teach":
                Teach(session);
                return ChannelState.Open;
            case "shutdown":
                Answer(json =>
                {
                    json.WriteStartObject();
                    json.WriteEndObject();
                });
                return ChannelState.ShutDown;
            default:
                throw new ControlException(ControlException.UnknownMethod, $"Unknown method \"{_message.Method}\"; known are {Methods}.");
        }
    }

    void Hello()
    {
        long newest = _message.Protocol ?? throw Missing("protocol");
        long oldest = _message.ProtocolMinimum ?? newest;
        if (oldest > Protocol.Version || newest < Protocol.MinimumVersion)
        {
            string side = oldest > Protocol.Version ? "host" : "shim";
            string shim = _message.Client is { } client ? $"The shim ({client})" : "The shim";
            throw new ControlException(
                ControlException.VersionsDoNotMeet,
                $"{shim} speaks {Protocol.Range(oldest, newest)}, this host {Protocol.Spoken}: update the {side}, or install both from one release.");
        }

        if (_session is not null)
        {
            throw new ControlException(ControlException.InvalidRequest, "\"hello\" came before.");
        }

        _session = _begin(new Greeting(_message.Client ?? "unnamed", (int)(_message.Process ?? 0), [.. _message.Models], _message.Data, [.. _message.Avoid]), this);
        Answer(json =>
        {
            json.WriteStartObject();
            ControlWriter.Member(json, "protocol", Math.Min(newest, Protocol.Version));
            ControlWriter.Member(json, "host", _version);
            ControlWriter.Member(json, "process", Environment.ProcessId);
            ControlWriter.Member(json, "kernel", Kernel.Name);
            ControlWriter.Member(json, "processors", Environment.ProcessorCount);
            json.WritePropertyName("encodings");
            json.WriteStartArray();
            foreach (PreviewEncoding encoding in _session.Encodings)
            {
                json.WriteStringValue(encoding.Name());
            }

            json.WriteEndArray();
            json.WritePropertyName("options");
            OptionTable.Write(json);
            json.WriteEndObject();
        });
    }

    void Attach(PreviewSession session)
    {
        MappingSource source = _message.MappingKind switch
        {
            "fd" => MappingSource.FromDescriptor((int)(_message.MappingDescriptor ?? throw Missing("fd"))),
            "section" => MappingSource.FromSection(_message.MappingName ?? throw Missing("name")),
            null => throw Missing("mapping"),
            _ => throw new ControlException(ControlException.InvalidParams, $"\"kind\" is \"{_message.MappingKind}\", known are fd, section."),
        };
        long length = _message.Length ?? throw Missing("length");
        long generation = _message.Generation ?? throw Missing("generation");
        session.Attach(source, length, (uint)generation);
        Answer(json =>
        {
            json.WriteStartObject();
            ControlWriter.Member(json, "generation", generation);
            json.WriteEndObject();
        });
    }

    void Configure(PreviewSession session)
    {
        PreviewOptions options = _message.Options.Apply(session.Defaults, session.Encodings);
        session.Defaults = options;
        Answer(json => StatusWriter.Write(json, options));
    }

    void Report(SessionStatus status) => Answer(json => StatusWriter.Write(json, status, _version));

    void Decode(PreviewSession session)
    {
        if (!session.IsAttached)
        {
            throw new ControlException(ControlException.NotReady, "\"attach\" must come before \"decode\".");
        }

        if (!_message.HasId)
        {
            throw new ControlException(ControlException.InvalidRequest, "\"decode\" needs an id: its answer is the picture.");
        }

        PreviewOptions options = _message.Options.Apply(session.Defaults, session.Encodings);
        session.Decode(new DecodeRequest(Slot, Sequence, Format(), Space, options, _message.Id, _message.Model));
    }

    void Encode(PreviewSession session)
    {
        if (!session.IsAttached)
        {
            throw new ControlException(ControlException.NotReady, "\"attach\" must come before \"encode\".");
        }

        if (!_message.HasId)
        {
            throw new ControlException(ControlException.InvalidRequest, "\"encode\" needs an id: its answer is the picture.");
        }

        session.Encode(new EncodeRequest(Stream, _message.Options.Apply(session.Defaults, session.Encodings), _message.Id));
    }

    void RefusePicture(object? id, in DroppedLatent dropped) =>
        _writer.Error(
            id, ControlException.NoPicture, dropped.Detail is null ? dropped.Reason.Name() : $"{dropped.Reason.Name()}: {dropped.Detail}", dropped.NeededByteLength);

    void Teach(PreviewSession session)
    {
        if (!session.IsAttached)
        {
            throw new ControlException(ControlException.NotReady, "\"attach\" must come before \"teach\".");
        }

        session.Teach(new TeachRequest(Slot, Sequence, Format(), _message.Model ?? throw Missing("model"), _message.HasId ? _message.Id : null));
    }

    int Slot => (int)(_message.Slot ?? throw Missing("slot"));

    ulong Sequence => (ulong)(_message.Sequence ?? throw Missing("sequence"));

    uint Stream => (uint)(_message.Stream ?? 0);

    ulong Run => (ulong)(_message.Run ?? throw Missing("run"));

    LatentSpace Space => _message.Space switch
    {
        null or "sampler" => LatentSpace.Sampler,
        "vae" => LatentSpace.Vae,
        _ => throw new ControlException(ControlException.InvalidParams, $"\"space\" is \"{_message.Space}\", known are sampler, vae."),
    };

    LatentFormat? Format()
    {
        if (_message.Format is null)
        {
            return null;
        }

        LatentFormat? format = LatentFormats.Find(_message.Format);
        if (format is null)
        {
            _log($"Latent format \"{_message.Format}\" is not known; it is guessed from the latent.");
        }

        return format;
    }

    /// <summary>Answers a request; a notification gets no answer.</summary>
    void Answer(Action<Utf8JsonWriter> writeResult)
    {
        if (_message.HasId)
        {
            _writer.Result(_message.Id, writeResult);
        }
    }

    /// <summary>Answers with an error; a wrong notification is only logged, unless it could not be told that it is one.</summary>
    void Refuse(int code, string message)
    {
        if (_message.HasId || code is ControlException.NotJson or ControlException.InvalidRequest)
        {
            _writer.Error(_message.Id, code, message);
        }
        else
        {
            _log($"A message of the shim is ignored: {message}");
        }
    }

    static ControlException Missing(string name) => new(ControlException.InvalidParams, $"\"{name}\" is missing.");
}
