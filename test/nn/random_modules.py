# Records random configurations of modules as PyTorch computes them, for random_modules.test.ts:
#
#   python3 test/nn/random_modules.py SEED COUNT FOLDER
#
# Each case: constructor arguments, seed, state_dict after construction, repr, inputs, output, cotangents, gradients.
import torch, random, json, base64, sys, inspect
import torch.nn as nn
R=random.Random(int(sys.argv[1])); N=int(sys.argv[2]); torch.set_num_threads(1)
def enc(v):
    if isinstance(v, torch.Tensor):
        t=v.detach().contiguous()
        return {"tensor":{"dtype":str(t.dtype)[6:],"shape":list(t.shape),"data":base64.b64encode(t.numpy().tobytes()).decode()}}
    if isinstance(v,bool) or v is None or isinstance(v,(str,int)): return v
    if isinstance(v,float):
        if v!=v or v in(float('inf'),float('-inf')): return {"float":str(v)}
        return {"float":repr(v)} if v==int(v) else v
    if isinstance(v,torch.dtype): return {"dtype":str(v)[6:]}
    if isinstance(v,(list,tuple)): return [enc(x) for x in v]
    if isinstance(v,dict): return {k:enc(x) for k,x in v.items()}
    raise Exception(type(v))
c=R.choice
def tup(n,lo,hi): return R.randint(lo,hi) if R.random()<.5 else tuple(R.randint(lo,hi) for _ in range(n))
def conv(n,tr=False):
    g=c([1,1,2,3]); ci=g*R.randint(1,3); co=g*R.randint(1,3)
    kw=dict(stride=tup(n,1,3),dilation=tup(n,1,2),groups=g,bias=c([True,False]))
    k=tup(n,1,4)
    sp=[R.randint(7,11) for _ in range(n)] if n<3 else [R.randint(7,8) for _ in range(n)]
    if tr:
        kw['padding']=tup(n,0,1)
        s=kw['stride'];d=kw['dilation']; s=(s,)*n if isinstance(s,int) else s; d=(d,)*n if isinstance(d,int) else d
        kw['output_padding']=tuple(R.randint(0,max(a,b)-1) for a,b in zip(s,d))
        sp=[R.randint(2,5) for _ in range(n)]
    else:
        kw['padding_mode']=c(['zeros','zeros','reflect','replicate','circular'])
        if n==3 and kw['padding_mode']=='reflect': kw['padding_mode']='zeros'
        if R.random()<.2 and kw['stride'] in (1,(1,)*n): kw['padding']='same'
        elif R.random()<.3: kw['padding']='same'; kw['stride']=1
        else: kw['padding']=tup(n,0,3)
    batch=[] if R.random()<.15 and kw.get('padding_mode','zeros')=='zeros' else [R.randint(1,4)]
    return (ci,co,k),kw,[('f',batch+[ci]+sp)]
def pool(n,kind):
    k=tup(n,1,4); kk=(k,)*n if isinstance(k,int) else k
    kw=dict(stride=c([None,tup(n,1,3)]),padding=tuple(R.randint(0,x//2) for x in kk),ceil_mode=c([True,False]))
    if n==1: k=kk[0]; kw['padding']=kw['padding'][0]; kw['stride']=kw['stride'] if not isinstance(kw['stride'],tuple) else kw['stride'][0]
    if kind=='max': kw['dilation']=R.randint(1,2); kw['return_indices']=c([False,False,True])
    else:
        kw['count_include_pad']=c([True,False])
        if n>1: kw['divisor_override']=c([None,None,R.randint(1,5)])
    return (k,),kw,[('f',([R.randint(1,3)] if R.random()<.8 else [])+[R.randint(1,4)]+[R.randint(6,10) for _ in range(n)])]
def act(args=(),kw=None):
    return args,kw or {},[('f',[R.randint(1,5) for _ in range(R.randint(1,4))])]
def shape(): return [R.randint(1,5) for _ in range(R.randint(1,4))]
def loss(kind):
    kw=dict(reduction=c(['mean','sum','none'])); s=shape(); ins=[('f',s),('ng',s)]
    if kind=='SmoothL1Loss': kw['beta']=R.uniform(.1,2)
    if kind=='HuberLoss': kw['delta']=R.uniform(.1,2)
    if kind=='BCELoss': ins=[('p',s),('png',s)]
    if kind=='BCEWithLogitsLoss':
        ins=[('f',s),('png',s)]
        if R.random()<.5: kw['pos_weight']=torch.rand(s[-1])
        if R.random()<.5: kw['weight']=torch.rand(s)
    if kind=='KLDivLoss': kw['log_target']=c([True,False]); kw['reduction']=c(['mean','sum','none','batchmean']); ins=[('f',s),('png',s)]
    if kind=='PoissonNLLLoss': kw.update(log_input=c([True,False]),full=c([True,False])); ins=[('p',s),('png',s)]
    if kind=='GaussianNLLLoss': kw['full']=c([True,False]); s=[R.randint(1,4),R.randint(1,4)]; ins=[('f',s),('ng',s),('p',s)]
    if kind in('CrossEntropyLoss','NLLLoss'):
        C=R.randint(2,6); n=R.randint(1,5); ex=[R.randint(1,4) for _ in range(R.randint(0,2))]
        ins=[('f',[n,C]+ex),('c%d'%C,[n]+ex)]
        if R.random()<.15: ins=[('f',[C]),('c%d'%C,[])]
        if R.random()<.5: kw['weight']=torch.rand(C)+.1
        if R.random()<.3: kw['ignore_index']=R.randint(0,C-1)
        if kind=='CrossEntropyLoss' and R.random()<.5: kw['label_smoothing']=R.uniform(0,.9)
        if kind=='CrossEntropyLoss' and R.random()<.2: ins=[ins[0],('png',ins[0][1])]; kw.pop('ignore_index',None)
    if kind in('HingeEmbeddingLoss','SoftMarginLoss'): ins=[('f',s),('s',s)]; 
    if kind=='MarginRankingLoss': ins=[('f',s),('f',s),('s',s)]; kw['margin']=R.uniform(0,1)
    if kind=='CosineEmbeddingLoss': n,d=R.randint(1,4),R.randint(1,5); ins=[('f',[n,d]),('f',[n,d]),('s',[n])]; kw['margin']=R.uniform(-.5,.5)
    if kind=='TripletMarginLoss': s=[R.randint(1,4),R.randint(1,5)]; ins=[('f',s)]*3; kw.update(margin=R.uniform(.1,2),p=c([1.5,2.0,3.0]),swap=c([True,False]))
    if kind=='MultiMarginLoss': C=R.randint(2,5);n=R.randint(1,4); ins=[('f',[n,C]),('c%d'%C,[n])]; kw.update(p=c([1,2]),margin=R.uniform(.2,2))
    if kind=='MultiLabelSoftMarginLoss': n,C=R.randint(1,4),R.randint(1,5); ins=[('f',[n,C]),('b',[n,C])]
    if kind=='MultiLabelMarginLoss': n,C=R.randint(1,4),R.randint(2,5); ins=[('f',[n,C]),('ml%d'%C,[n,C])]
    return (),kw,ins
def rnn(kind):
    i,h=R.randint(1,6),R.randint(2,6); kw=dict(num_layers=R.randint(1,3),bias=c([True,False]),batch_first=c([True,False]),bidirectional=c([True,False]))
    if kind=='LSTM' and R.random()<.4: kw['proj_size']=R.randint(1,h-1)
    if kind=='RNN': kw['nonlinearity']=c(['tanh','relu'])
    if R.random()<.3: kw['dropout']=R.uniform(.1,.6)
    x=[R.randint(1,6),R.randint(1,4),i] if R.random()<.8 else [R.randint(1,5),i]
    return (i,h),kw,[('f',x)]
def tr(cls):
    h=c([1,2,4]); d=h*R.randint(2,4)
    kw=dict(dim_feedforward=R.randint(3,9),dropout=c([0.0,0.3]),activation=c(['relu','gelu']),batch_first=c([True,False]),norm_first=c([True,False]),layer_norm_eps=c([1e-5,1e-3]))
    b=R.randint(1,3); a,e=R.randint(1,5),R.randint(1,5)
    sh=lambda L:[b,L,d] if kw['batch_first'] else [L,b,d]
    return (d,h),kw,[('f',sh(a))]+([('f',sh(e))] if 'Dec' in cls else [])
G={}
for n in (1,2,3):
    G['Conv%dd'%n]=lambda n=n:conv(n); G['ConvTranspose%dd'%n]=lambda n=n:conv(n,True)
    G['MaxPool%dd'%n]=lambda n=n:pool(n,'max'); G['AvgPool%dd'%n]=lambda n=n:pool(n,'avg')
    for k in('AdaptiveAvgPool','AdaptiveMaxPool'):
        G[k+'%dd'%n]=lambda n=n:((tup(n,1,6) if n>1 else R.randint(1,6),),{},[('f',([R.randint(1,3)] if R.random()<.8 else [])+[R.randint(1,4)]+[R.randint(2,9) for _ in range(n)])])
    G['BatchNorm%dd'%n]=lambda n=n:(lambda C:((C,),dict(eps=c([1e-5,1e-2]),momentum=c([None,.1,.37]),affine=c([True,False]),track_running_stats=c([True,False])),[('f',[R.randint(2,4),C]+[R.randint(2,5) for _ in range(n)])]))(R.randint(1,6))
    G['InstanceNorm%dd'%n]=lambda n=n:(lambda C:((C,),dict(eps=c([1e-5,1e-2]),momentum=c([.1,.37]),affine=c([True,False]),track_running_stats=c([True,False])),[('f',[R.randint(1,4),C]+[R.randint(2,5) for _ in range(n)])]))(R.randint(1,6))
    G['ConstantPad%dd'%n]=lambda n=n:((tuple(R.randint(-1,3) for _ in range(2*n)),R.uniform(-2,2)),{},[('f',[R.randint(1,3),R.randint(1,3)]+[R.randint(3,6) for _ in range(n)])])
    for k in('ReflectionPad','ReplicationPad'): G[k+'%dd'%n]=lambda n=n:((tuple(R.randint(0,2) for _ in range(2*n)),),{},[('f',[R.randint(1,3),R.randint(1,3)]+[R.randint(3,6) for _ in range(n)])])
    if n<3: G['LPPool%dd'%n]=lambda n=n:((c([1.0,2.0,3.0]),R.randint(1,3)),dict(stride=c([None,2]),ceil_mode=c([True,False])),[('p',[R.randint(1,3),R.randint(1,3)]+[R.randint(5,8) for _ in range(n)])])
G['Linear']=lambda:(lambda i:((i,R.randint(1,7)),dict(bias=c([True,False])),[('f',shape()[:3]+[i])]))(R.randint(1,9))
G['Bilinear']=lambda:(lambda i,j,s:((i,j,R.randint(1,5)),dict(bias=c([True,False])),[('f',s+[i]),('f',s+[j])]))(R.randint(1,5),R.randint(1,5),shape()[:2])
for a,f in dict(ReLU=act,ReLU6=act,Sigmoid=act,Tanh=act,SiLU=act,Mish=act,Hardswish=act,Hardsigmoid=act,LogSigmoid=act,Softsign=act,Tanhshrink=act,SELU=act).items(): G[a]=f
G['GELU']=lambda:act((),dict(approximate=c(['none','tanh'])))
G['ELU']=lambda:act((R.uniform(.1,2),)); G['CELU']=lambda:act((R.uniform(.1,2),)); G['LeakyReLU']=lambda:act((R.uniform(-.5,.5),)); G['Hardtanh']=lambda:act((R.uniform(-2,-.1),R.uniform(.1,2)))
G['Hardshrink']=lambda:act((R.uniform(.1,1),)); G['Softshrink']=lambda:act((R.uniform(.1,1),)); G['Softplus']=lambda:act((R.uniform(.5,3),R.uniform(1,20))); G['Threshold']=lambda:act((R.uniform(-1,1),R.uniform(-1,1)))
G['PReLU']=lambda:(lambda s:((c([1,s[1]]),R.uniform(-.5,.5)),{},[('f',s)]))([R.randint(1,3) for _ in range(R.randint(2,4))])
G['RReLU']=lambda:act((.1,.4)); G['GLU']=lambda:(lambda s,d:((d,),{},[('f',[x*2 if k==d%len(s) else x for k,x in enumerate(s)])]))([R.randint(1,3) for _ in range(3)],R.randint(-3,2))
for k in('Softmax','Softmin','LogSoftmax'): G[k]=lambda:((R.randint(-3,2),),{},[('f',[R.randint(1,5) for _ in range(3)])])
G['Dropout']=lambda:act((R.uniform(0,1),)); G['AlphaDropout']=lambda:act((R.uniform(0,1),))
G['Dropout2d']=lambda:((R.uniform(0,1),),{},[('f',[R.randint(1,3) for _ in range(4)])])
G['FeatureAlphaDropout']=lambda:((R.uniform(0,1),),{},[('f',[R.randint(1,3) for _ in range(4)])])
G['LayerNorm']=lambda:(lambda s,k:((s[-k:],),dict(eps=c([1e-5,.01]),elementwise_affine=c([True,False])),[('f',s)]))([R.randint(1,6) for _ in range(3)],R.randint(1,3))
G['GroupNorm']=lambda:(lambda g,m:((g,g*m),dict(eps=c([1e-5,.01]),affine=c([True,False])),[('f',[R.randint(1,4),g*m]+[R.randint(2,4) for _ in range(R.randint(0,3))])]))(R.randint(1,3),R.randint(2,4))
G['LocalResponseNorm']=lambda:((R.randint(1,5),),dict(alpha=R.uniform(1e-4,.1),beta=R.uniform(.3,1),k=R.uniform(.5,2)),[('f',[R.randint(1,3),R.randint(2,5)]+[R.randint(2,4) for _ in range(R.randint(1,3))])])
for k in('MSELoss','L1Loss','SmoothL1Loss','HuberLoss','BCELoss','BCEWithLogitsLoss','KLDivLoss','PoissonNLLLoss','GaussianNLLLoss','CrossEntropyLoss','NLLLoss','HingeEmbeddingLoss','SoftMarginLoss','MarginRankingLoss','CosineEmbeddingLoss','TripletMarginLoss','MultiMarginLoss','MultiLabelSoftMarginLoss','MultiLabelMarginLoss'): G[k]=lambda k=k:loss(k)
for k in('RNN','LSTM','GRU'): G[k]=lambda k=k:rnn(k)
G['RNNCell']=lambda:(lambda i,h,b:((i,h),dict(bias=c([True,False]),nonlinearity=c(['tanh','relu'])),[('f',[b,i]),('f',[b,h])]))(R.randint(1,5),R.randint(1,5),R.randint(1,4))
G['GRUCell']=lambda:(lambda i,h,b:((i,h),dict(bias=c([True,False])),[('f',[b,i]),('f',[b,h])]))(R.randint(1,5),R.randint(1,5),R.randint(1,4))
G['LSTMCell']=lambda:(lambda i,h,b:((i,h),dict(bias=c([True,False])),[('f',[b,i])]))(R.randint(1,5),R.randint(1,5),R.randint(1,4))
G['Embedding']=lambda:(lambda n:((n,R.randint(1,5)),dict(padding_idx=c([None,R.randint(0,n-1)]),max_norm=c([None,None,1.0]),scale_grad_by_freq=c([True,False])),[('c%d'%n,shape()[:2])]))(R.randint(2,8))
G['EmbeddingBag']=lambda:(lambda n:((n,R.randint(1,5)),dict(mode=c(['sum','mean','max']),padding_idx=c([None,R.randint(0,n-1)])),[('c%d'%n,[R.randint(1,4),R.randint(1,4)])]))(R.randint(2,8))
G['MultiheadAttention']=lambda:(lambda h,k:((h*k,h),dict(dropout=c([0.0,.2]),bias=c([True,False]),add_bias_kv=c([True,False]),add_zero_attn=c([True,False]),batch_first=False,kdim=c([None,h*k+1])),'mha'))(c([1,2,3]),R.randint(1,4))
G['TransformerEncoderLayer']=lambda:tr('Enc'); G['TransformerDecoderLayer']=lambda:tr('Dec')
G['PixelShuffle']=lambda:(lambda r:((r,),{},[('f',[R.randint(1,2),r*r*R.randint(1,2),3,2])]))(R.randint(1,3)); G['PixelUnshuffle']=lambda:(lambda r:((r,),{},[('f',[R.randint(1,2),2,3*r,2*r])]))(R.randint(1,3))
G['ChannelShuffle']=lambda:(lambda g:((g,),{},[('ng',[2,g*R.randint(1,3),3,2])]))(R.randint(1,3))
def ups():
    n=c([1,2,3]); m=c(['nearest']+[{1:'linear',2:'bilinear',3:'trilinear'}[n]]+(['bicubic'] if n==2 else []))
    kw=dict(mode=m)
    if R.random()<.5: kw['size']=tuple(R.randint(1,9) for _ in range(n))
    else: kw['scale_factor']=R.uniform(.6,2.7)
    if m!='nearest': kw['align_corners']=c([True,False])
    return (),kw,[('f',[R.randint(1,2),R.randint(1,3)]+[R.randint(2,6) for _ in range(n)])]
G['Upsample']=ups
def fold():
    k=tup(2,1,3);kw=dict(dilation=tup(2,1,2),padding=tup(2,0,2),stride=tup(2,1,2)); return (k,),kw,[('f',[R.randint(1,3),R.randint(1,3),R.randint(6,8),R.randint(6,8)])]
G['Unfold']=fold
G['CosineSimilarity']=lambda:(lambda s:((R.randint(0,2),),{},[('f',s),('f',s)]))([R.randint(1,5) for _ in range(3)])
G['PairwiseDistance']=lambda:(lambda s:((c([1.0,2.0,3.0]),),dict(keepdim=c([True,False])),[('f',s),('f',s)]))([R.randint(1,5) for _ in range(2)])
G['Flatten']=lambda:((R.randint(0,1),R.randint(-2,-1)),{},[('f',[R.randint(1,4) for _ in range(4)])])
G['FractionalMaxPool2d']=lambda:((R.randint(1,3),),dict(output_ratio=(R.uniform(.4,.8),R.uniform(.4,.8))),[('f',[2,R.randint(1,3),R.randint(7,9),R.randint(7,9)])])
def mk(spec,dt):
    k,s=spec
    if k=='f': return torch.randn(s,dtype=dt).requires_grad_(True)
    if k=='ng': return torch.randn(s,dtype=dt)
    if k=='p': return (torch.rand(s,dtype=dt)*.96+.02).requires_grad_(True)
    if k=='png': return torch.rand(s,dtype=dt)*.96+.02
    if k=='s': return torch.randint(0,2,s).mul(2).sub(1).to(dt)
    if k=='b': return torch.randint(0,2,s).to(dt)
    if k.startswith('ml'):
        C=int(k[2:]); return torch.stack([torch.cat([p[:q],torch.full((C-q,),-1)]) for p,q in ((torch.randperm(C),R.randint(0,C)) for _ in range(s[0]))])
    return torch.randint(0,int(k[1:]),s)
def flat(o):
    if isinstance(o,torch.Tensor): return [o]
    if isinstance(o,(tuple,list)): return [y for x in o for y in flat(x)]
    return []
def encout(o):
    if isinstance(o,(tuple,list)): return {"tuple":[encout(x) for x in o]}
    return enc(o)
files={}; n=0; tries=0
import warnings; warnings.simplefilter('ignore')
names=sorted(G)
while n<N and tries<N*4:
    tries+=1; cls=names[tries%len(names)]
    try:
        args,kw,ins=G[cls](); dt=torch.float64 if R.random()<.35 else torch.float32
        kw={k:v for k,v in kw.items()}
        m=None; seed=R.randint(0,10**9)
        fac='dtype' in inspect.signature(getattr(nn,cls).__init__).parameters
        if fac and dt==torch.float64: kw['dtype']=dt
        elif not fac and dt==torch.float64 and any(isinstance(v,torch.Tensor) for v in kw.values()): kw={k:(v.double() if isinstance(v,torch.Tensor) else v) for k,v in kw.items()}
        torch.manual_seed(seed); m=getattr(nn,cls)(*args,**kw)
        case=dict(id=f"nn.{cls}.r{sys.argv[1]}_{n}",seed=seed)
        case['class']=cls; case['args']=enc(args); case['kwargs']=enc(kw)
        sd=m.state_dict(); case['state_dict']=enc(dict(sd)); case['state_keys']=list(sd); case['repr']=repr(m)
        train=R.random()<.6; m.train(train); case['train']=train
        load={}
        for k,v in m.named_buffers():
            if v.dtype.is_floating_point and R.random()<.5:
                with torch.no_grad(): v.copy_(torch.rand(v.shape,dtype=v.dtype)+.3)
                load[k]=enc(v.clone())
        if load: case['load']=load
        torch.manual_seed(R.randint(0,10**9))
        if ins=='mha':
            E=args[0]; L,S,B=R.randint(1,4),R.randint(1,4),R.randint(1,3); kd=kw['kdim'] or E
            x=[mk(('f',s),dt) for s in([L,B,E],[S,B,kd],[S,B,E])]
        else: x=[mk(s,dt) for s in ins]
        case['inputs']=[enc(t) for t in x]
        fs=R.randint(0,10**9); case['forward_seed']=fs; torch.manual_seed(fs)
        o=m(*x)
        outs=flat(o); 
        if not outs or any(t.numel()==0 for t in outs): continue
        case['output']=encout(o)
        cots=[]; roots=[];gs=[]
        for t in outs:
            if t.requires_grad: g=torch.randn(t.shape,dtype=t.dtype); roots.append(t); gs.append(g); cots.append(enc(g))
            else: cots.append(None)
        if roots:
            torch.autograd.backward(roots,gs); case['cotangents']=cots
            case['input_grads']=[enc(t.grad) if t.is_leaf and t.requires_grad and t.grad is not None else None for t in x]
            case['param_grads']={k:(enc(p.grad) if p.grad is not None else None) for k,p in m.named_parameters()}
        case['buffers_after']={k:enc(b) for k,b in m.named_buffers()}
        files.setdefault(cls,[]).append(case); n+=1
    except Exception as e:
        if '-v' in sys.argv: print(cls,repr(e)[:150])
import os
os.makedirs(sys.argv[3],exist_ok=True)
for k,v in files.items():
    open(f'{sys.argv[3]}/{k}.json','w').write('{"area":"nn","group":"%s","torch":"1.13.1","cases":[\n'%k+',\n'.join(json.dumps(x) for x in v)+'\n]}\n')
print(n,tries,len(files), [k for k in names if k not in files])
